package report

import "time"

// FormatVersion is that of the documents of this package.
const FormatVersion = 1

// Kind is what a document is about.
type Kind string

// The kinds.
const (
	Plan   Kind = "plan"   // what a rewind would do
	Result Kind = "result" // what a rewind did
	Failed Kind = "error"  // why a rewind did not do it
)

// Document is all that there is to say about a rewind. LSNs are texts as
// PostgreSQL writes them, sizes are in bytes.
type Document struct {
	FormatVersion int       `json:"format_version"`
	Kind          Kind      `json:"kind"`
	Program       string    `json:"program"` // with its version
	Created       time.Time `json:"created"`

	Target *Side `json:"target,omitempty"` // nil where nothing could be found out
	Source *Side `json:"source,omitempty"`

	// Required is false where the target can follow the source as it is, and
	// Reason says why. Where Resumes is true, the rewind completes one that was
	// interrupted, of which little is known.
	Required bool   `json:"required"`
	Reason   string `json:"reason,omitempty"`
	Resumes  bool   `json:"resumes,omitempty"`

	// Evidence is what shows which blocks of which files differ, and Because why what
	// costs less could not be used.
	Evidence Evidence     `json:"evidence,omitempty"`
	Because  []PassedOver `json:"because,omitempty"`
	// RecoversFirst is true of a plan where the target's crash recovery comes first.
	RecoversFirst bool     `json:"recovers_first,omitempty"`
	Read          int64    `json:"read_bytes,omitempty"`     // of the target's files, to find out what differs
	Compared      int64    `json:"compared_bytes,omitempty"` // of each side, where files were compared as a whole
	Damaged       []Damage `json:"damaged,omitempty"`        // what a comparison found damaged on the target

	// Proven is true where the last WAL before the divergence, or before the target's
	// end, was read on both sides and is the same. Where it is false, Unproven says
	// why, and only the timeline histories vouch for it. Both are missing where the
	// two were not compared.
	Proven   *bool  `json:"proven,omitempty"`
	Unproven string `json:"unproven,omitempty"`

	Divergence   *Position   `json:"divergence,omitempty"` // the end of the WAL that both sides share
	Checkpoint   *Checkpoint `json:"last_common_checkpoint,omitempty"`
	WALRead      *WALRead    `json:"wal_read,omitempty"`
	Lost         *Lost       `json:"lost,omitempty"`
	Startability *Start      `json:"startability,omitempty"`
	WillFollow   *bool       `json:"will_follow,omitempty"` // whether the standby will be able to stream from the source; missing where that was not tried
	Following    *Following  `json:"following,omitempty"`
	Totals       *Totals     `json:"totals,omitempty"`
	Named        []Relation  `json:"named_relations,omitempty"` // relations that files belong to, as far as the source knows their names
	BlockSize    int64       `json:"block_size,omitempty"`      // in bytes, of both sides
	Files        []File      `json:"files,omitempty"`           // that are written, removed or mentioned, in the order of the work
	Saved        []Saving    `json:"saved,omitempty"`
	Space        []Space     `json:"space,omitempty"`
	Sync         string      `json:"sync,omitempty"` // how what is written is made durable
	Warnings     []string    `json:"warnings,omitempty"`
	Phases       []Phase     `json:"phases,omitempty"`
	FetchedBytes int64       `json:"fetched_bytes,omitempty"` // by a rewind that was carried out
	Error        *Error      `json:"error,omitempty"`
}

// Evidence is what shows what differs.
type Evidence string

// The kinds of evidence.
const (
	ByWAL        Evidence = "wal"        // the target's WAL since the last common checkpoint
	ByChanges    Evidence = "changes"    // what both sides changed since they had the same files
	ByComparison Evidence = "comparison" // a comparison of all files
)

// PassedOver is a kind of evidence that could not be used.
type PassedOver struct {
	Evidence  Evidence `json:"evidence"`
	Condition string   `json:"condition"` // as in an error
	Reason    string   `json:"reason"`
}

// Damage is a file of the target with blocks whose checksums are wrong. They are
// replaced by the source's.
type Damage struct {
	Path     string    `json:"path"`
	Relation *Relation `json:"relation,omitempty"` // of the source, where that is known
	Blocks   string    `json:"blocks"`             // such as "0-3 7", within the file
	Count    int64     `json:"count"`
}

// Side is one of the two clusters.
type Side struct {
	Name             string       `json:"name"` // directory or connection, without secrets
	Version          string       `json:"postgresql_version"`
	SystemIdentifier string       `json:"system_identifier"`
	State            string       `json:"state"` // as pg_controldata says it
	Timeline         uint32       `json:"timeline"`
	Checkpoint       string       `json:"checkpoint"` // the last one, by the control file
	Redo             string       `json:"redo"`
	EndOfWAL         string       `json:"end_of_wal,omitempty"` // that was written, received or replayed
	History          List[Period] `json:"history"`
}

// Period is a part of a history, written on one timeline.
type Period struct {
	Timeline uint32 `json:"timeline"`
	Begin    string `json:"begin"`
	End      string `json:"end,omitempty"` // empty in the last one
}

// Position is a place in the WAL.
type Position struct {
	LSN      string `json:"lsn"`
	Timeline uint32 `json:"timeline"`
}

// Checkpoint is where a checkpoint's record and its redo point are.
type Checkpoint struct {
	LSN      string `json:"lsn"`
	Redo     string `json:"redo"`
	Timeline uint32 `json:"timeline"`
}

// WALRead is what was read of the target's WAL to find out what it changed.
type WALRead struct {
	Records  int64         `json:"records"`
	Bytes    int64         `json:"bytes"`
	Segments List[Segment] `json:"segments"`
}

// Origin is where a WAL segment is.
type Origin string

// The places.
const (
	OnTarget  Origin = "target"
	OnSource  Origin = "source"
	InArchive Origin = "archive" // restore_command brought it back
	Missing   Origin = "missing" // nowhere: the server cannot start
)

// Segment is a WAL segment, and where it is.
type Segment struct {
	Name  string `json:"name"`
	Where Origin `json:"where"`
}

// Lost is what the rewind throws away: all that the target wrote after the
// divergence. Relations that only became shorter, as by VACUUM, are not listed on
// their own.
type Lost struct {
	WALBytes            int64             `json:"wal_bytes"`
	Committed           int               `json:"committed_transactions"`
	CommittedByDatabase []DatabaseCommits `json:"committed_by_database,omitempty"` // the most first; only where the WAL tells it of all of them, as with wal_level = logical
	Prepared            int               `json:"prepared_transactions"`           // for a commit in two phases, whatever became of them
	StillPrepared       List[Prepared]    `json:"still_prepared"`                  // those of them that never ended, the first ones
	StillPreparedMore   int               `json:"still_prepared_more,omitempty"`   // how many that list lacks
	Aborted             int               `json:"aborted_transactions"`
	FirstCommit         *time.Time        `json:"first_commit,omitempty"`
	LastCommit          *time.Time        `json:"last_commit,omitempty"`
	Blocks              int64             `json:"changed_blocks"`
	Relations           List[Relation]    `json:"relations"`                        // that were changed, the most blocks first
	Created             List[Relation]    `json:"created_relations"`                // files of tables and indexes, also of those that were rewritten; the first ones
	CreatedMore         int               `json:"created_relations_more,omitempty"` // how many that list lacks
	Dropped             List[Relation]    `json:"dropped_relations"`                // likewise
	DroppedMore         int               `json:"dropped_relations_more,omitempty"` // how many that list lacks
	CreatedDatabases    List[string]      `json:"created_databases"`                // their OIDs, since the source never had them
	DroppedDatabases    List[string]      `json:"dropped_databases"`                // names, or OIDs where there are none
	CreatedTablespaces  List[Tablespace]  `json:"created_tablespaces"`
	DroppedTablespaces  List[string]      `json:"dropped_tablespaces"`        // names, or OIDs where there are none
	Messages            int               `json:"logical_messages,omitempty"` // of pg_logical_emit_message: what listens to them does not find these in any table
	Unparsed            int               `json:"unparsed_records,omitempty"` // that may add to this
	SavedIn             string            `json:"saved_in,omitempty"`         // the directory in which it is kept, or by a plan will be
}

// DatabaseCommits is how many transactions were committed in a database.
type DatabaseCommits struct {
	Database  uint32 `json:"database_oid"`
	DBName    string `json:"database_name,omitempty"` // where the source knows it
	Committed int    `json:"committed_transactions"`
}

// Prepared is a transaction that was prepared for a commit in two phases, and
// neither committed nor rolled back: what coordinates it may wait to do so.
type Prepared struct {
	GID      string    `json:"gid"`     // as in PREPARE TRANSACTION, but for bytes that are not UTF-8
	Literal  string    `json:"literal"` // the same as SQL has it, to the byte: quoted, and escaped where necessary
	XID      uint32    `json:"xid"`
	Database uint32    `json:"database_oid"`
	DBName   string    `json:"database_name,omitempty"` // where the source knows it
	Time     time.Time `json:"prepared_at"`             // by the target's clock
}

// Tablespace is a tablespace that the source never had.
type Tablespace struct {
	OID      uint32 `json:"oid"`
	Location string `json:"location"` // empty if it lies in the data directory
}

// Relation is a relation by where its file is, and its name where the source
// knows it. Those in a database that the source never had are one entry, without
// a file and a tablespace.
type Relation struct {
	Tablespace uint32 `json:"tablespace_oid"`
	Database   uint32 `json:"database_oid"`            // zero for relations that all databases share
	FileNode   uint32 `json:"relfilenode"`             // zero where it is an entry for more than one
	Name       string `json:"name,omitempty"`          // for people, such as "table public.t"
	DBName     string `json:"database_name,omitempty"` // of the database
	Schema     string `json:"schema,omitempty"`        // of the relation, or of the table that it belongs to
	Relation   string `json:"relation,omitempty"`      // its name alone, without quotes
	RelKind    string `json:"relation_kind,omitempty"` // such as table, index or toast table
	Blocks     int64  `json:"changed_blocks,omitempty"`
	Inserted   int64  `json:"inserted_rows,omitempty"` // by committed transactions; of a table only, if its name is known
	Updated    int64  `json:"updated_rows,omitempty"`
	Deleted    int64  `json:"deleted_rows,omitempty"`
	Relations  int    `json:"relations,omitempty"` // of a database that the source never had: how many this entry is for
}

// Start is whether the rewound server will start: where the WAL is that its
// recovery reads until it takes connections.
type Start struct {
	From     string        `json:"from"`
	To       string        `json:"to"`
	Segments List[Segment] `json:"segments"`
}

// Following is what came of trying the connection that the standby will open.
type Following struct {
	Start    string `json:"start"` // from where it will ask for WAL first
	Timeline uint32 `json:"timeline"`
	Slot     string `json:"slot,omitempty"`     // which it will use
	NewSlot  bool   `json:"new_slot,omitempty"` // that the rewind makes
	Problem  string `json:"problem,omitempty"`  // why it will not be able to stream
	Advice   string `json:"advice,omitempty"`   // what to do about that
}

// Totals add up Files.
type Totals struct {
	Files        int         `json:"files"`         // that are written, made or removed
	FetchBytes   int64       `json:"fetch_bytes"`   // to read from the source
	RemoveBytes  int64       `json:"remove_bytes"`  // of files that are removed or cut
	SourceBytes  int64       `json:"source_bytes"`  // of all the source's files
	ByKind       List[Total] `json:"by_kind"`       // main, fsm, vm, init, wal, slru, configuration, other
	ByDatabase   List[Total] `json:"by_database"`   // of relations
	ByTablespace List[Total] `json:"by_tablespace"` // of relations
	ByAction     List[Total] `json:"by_action"`
}

// Total is a sum over files that have something in common.
type Total struct {
	Name       string `json:"name"`
	Files      int    `json:"files"`
	FetchBytes int64  `json:"fetch_bytes"`
	Blocks     int64  `json:"changed_blocks,omitempty"`
}

// FileAction is what happens to a file.
type FileAction string

// The actions, in the order of the work.
const (
	ActionCreate   FileAction = "create"    // make a directory or a link
	ActionCopy     FileAction = "copy"      // replace or make a file
	ActionCopyTail FileAction = "copy_tail" // append what the source has beyond the target's end
	ActionBlocks   FileAction = "blocks"    // overwrite blocks; to other actions they may be added
	ActionNone     FileAction = "none"
	ActionTruncate FileAction = "truncate"
	ActionRemove   FileAction = "remove"
	ActionRestore  FileAction = "restore" // put a WAL segment in place that an archive brought back
)

// KindMain is the Kind of files that hold the contents of relations.
const KindMain = "main"

// ReasonKept is the Reason of files that stay because it was asked for.
const ReasonKept = "kept as asked"

// File is a file, directory or symbolic link, and what happens to it.
type File struct {
	Path       string     `json:"path"`
	Type       string     `json:"type"` // file, directory or link
	Kind       string     `json:"kind"` // as in Totals.ByKind
	Action     FileAction `json:"action"`
	Reason     string     `json:"reason"`
	SourceSize int64      `json:"source_size"`
	TargetSize int64      `json:"target_size"`
	FetchBytes int64      `json:"fetch_bytes"`
	Blocks     string     `json:"blocks,omitempty"` // to overwrite, such as "0-3 7"
	Link       string     `json:"link,omitempty"`
}

// Saving is what need not be copied because of a rule.
type Saving struct {
	Rule  string `json:"rule"`
	Files int    `json:"files"`
	Bytes int64  `json:"bytes"`
}

// Space is the room that the rewind takes on a file system.
type Space struct {
	Directory string `json:"directory"` // on that file system
	Needed    int64  `json:"needed_bytes"`
	Free      int64  `json:"free_bytes"`
}

// Phase is what a phase of the rewind took.
type Phase struct {
	Name    string    `json:"name"`
	Began   time.Time `json:"began"`
	Seconds float64   `json:"seconds"`
	Bytes   int64     `json:"bytes,omitempty"` // fetched
	Files   int       `json:"files,omitempty"` // that something was fetched of
}

// Error is why a rewind was not carried out, or not to its end.
type Error struct {
	Message          string   `json:"message"`
	Condition        string   `json:"condition"` // a stable word
	Action           NextStep `json:"action"`    // what is to be done next
	Phase            string   `json:"phase"`
	TargetUntouched  bool     `json:"target_untouched"`
	CrashRecovered   bool     `json:"crash_recovered,omitempty"` // crash recovery changed the target, in this run
	NeedsSource      bool     `json:"needs_source,omitempty"`    // the target is half rewound in place, and what finishes it takes a source
	Retryable        bool     `json:"retryable"`                 // the action is only to run the same again
	BaseBackupNeeded bool     `json:"base_backup_needed"`        // the action is resync or base_backup
	ExitStatus       int      `json:"exit_status"`
	Details          []string `json:"details,omitempty"`
	Hints            []string `json:"hints,omitempty"`
}

// untouched says that the target was not changed, where that is so.
func (e *Error) untouched() string {
	if e.CrashRecovered {
		return "The target was not changed, except by its crash recovery."
	}
	return "The target was not changed."
}

// Words are the evidence's for people.
func (e Evidence) Words() string {
	switch e {
	case ByChanges:
		return "the changes of both sides"
	case ByComparison:
		return "a comparison of all files"
	}
	return "the target's WAL"
}

// Label is the name of what is damaged: the relation's, where it is known.
func (d *Damage) Label() string {
	if d.Relation == nil {
		return d.Path
	}
	return d.Relation.String()
}
