package report

import "time"

// FormatVersion is the version of the documents of this package.
const FormatVersion = 1

// Kind is what a document is about.
type Kind string

// The kinds.
const (
	Plan   Kind = "plan"   // what a rewind would do
	Result Kind = "result" // what a rewind did
	Failed Kind = "error"  // why a rewind failed
)

// Document is the complete description of a rewind. LSNs are text as
// PostgreSQL writes them, sizes are in bytes.
type Document struct {
	FormatVersion int       `json:"format_version"`
	Kind          Kind      `json:"kind"`
	Program       string    `json:"program"` // including its version
	Created       time.Time `json:"created"`

	Target *Side `json:"target,omitempty"` // nil if nothing is known about it
	Source *Side `json:"source,omitempty"`

	// Required is false if the target can follow the source as it is, and
	// Reason says why. If Resumes is true, the rewind completes an
	// interrupted one, of which little is known.
	Required bool   `json:"required"`
	Reason   string `json:"reason,omitempty"`
	Resumes  bool   `json:"resumes,omitempty"`

	// Evidence is what shows which blocks of which files differ, and Because says why cheaper
	// evidence could not be used.
	Evidence Evidence     `json:"evidence,omitempty"`
	Because  []PassedOver `json:"because,omitempty"`
	// RecoversFirst is true for a plan if the target needs crash recovery first.
	RecoversFirst bool     `json:"recovers_first,omitempty"`
	Read          int64    `json:"read_bytes,omitempty"`     // bytes of the target's files read to find out what differs
	Compared      int64    `json:"compared_bytes,omitempty"` // bytes of each side, if files were compared as a whole
	Damaged       []Damage `json:"damaged,omitempty"`        // what a comparison found damaged on the target

	// Proven is true if the last WAL before the divergence, or before the target's
	// end, was read on both sides and is the same. If it is false, Unproven says
	// why, and only the timeline histories show the divergence. Both are missing if the
	// two were not compared.
	Proven   *bool  `json:"proven,omitempty"`
	Unproven string `json:"unproven,omitempty"`

	Divergence   *Position   `json:"divergence,omitempty"` // the end of the WAL that both sides share
	Checkpoint   *Checkpoint `json:"last_common_checkpoint,omitempty"`
	WALRead      *WALRead    `json:"wal_read,omitempty"`
	Lost         *Lost       `json:"lost,omitempty"`
	Startability *Start      `json:"startability,omitempty"`
	WillFollow   *bool       `json:"will_follow,omitempty"` // whether the standby will be able to stream from the source; missing if that was not tried
	Following    *Following  `json:"following,omitempty"`
	Totals       *Totals     `json:"totals,omitempty"`
	Named        []Relation  `json:"named_relations,omitempty"` // relations of the files, if the source knows their names
	BlockSize    int64       `json:"block_size,omitempty"`      // in bytes, of both sides
	Files        []File      `json:"files,omitempty"`           // files that are written, removed or mentioned, in the order of the work
	Saved        []Saving    `json:"saved,omitempty"`
	Space        []Space     `json:"space,omitempty"`
	Sync         string      `json:"sync,omitempty"` // how written data is made durable
	Warnings     []string    `json:"warnings,omitempty"`
	Phases       []Phase     `json:"phases,omitempty"`
	FetchedBytes int64       `json:"fetched_bytes,omitempty"` // bytes fetched by a completed rewind
	Error        *Error      `json:"error,omitempty"`
}

// Evidence is what shows which blocks of which files may differ.
type Evidence string

// The kinds of evidence, cheapest first.
const (
	// ByWAL is the target's WAL since the last common checkpoint, where recovery starts.
	ByWAL Evidence = "wal"
	// ByChanges is what both sides changed since a point at which they had the same files:
	// WAL of both, or WAL summaries of the source. Recovery starts at the source's own
	// last checkpoint.
	ByChanges Evidence = "changes"
	// ByComparison is a comparison of all files. Recovery starts at the source's own
	// last checkpoint.
	ByComparison Evidence = "comparison"
)

// PassedOver is a kind of evidence that could not be used.
type PassedOver struct {
	Evidence  Evidence `json:"evidence"`
	Condition string   `json:"condition"` // as in Error
	Reason    string   `json:"reason"`
}

// Damage is a file of the target with blocks whose checksums are wrong. The source's blocks
// replace them.
type Damage struct {
	Path     string    `json:"path"`
	Relation *Relation `json:"relation,omitempty"` // the source's relation, if known
	Blocks   string    `json:"blocks"`             // such as "0-3 7", within the file
	Count    int64     `json:"count"`
}

// Side is one of the two clusters.
type Side struct {
	Name             string       `json:"name"` // directory or connection, without secrets
	Version          string       `json:"postgresql_version"`
	SystemIdentifier string       `json:"system_identifier"`
	State            string       `json:"state"` // as in pg_controldata
	Timeline         uint32       `json:"timeline"`
	Checkpoint       string       `json:"checkpoint"` // the last one, according to the control file
	Redo             string       `json:"redo"`
	EndOfWAL         string       `json:"end_of_wal,omitempty"` // of the WAL that was written, received or replayed
	History          List[Period] `json:"history"`
}

// Period is a part of a history, written on one timeline.
type Period struct {
	Timeline uint32 `json:"timeline"`
	Begin    string `json:"begin"`
	End      string `json:"end,omitempty"` // empty for the last one
}

// Position is a position in the WAL.
type Position struct {
	LSN      string `json:"lsn"`
	Timeline uint32 `json:"timeline"`
}

// Checkpoint is the positions of a checkpoint's record and its redo point.
type Checkpoint struct {
	LSN      string `json:"lsn"`
	Redo     string `json:"redo"`
	Timeline uint32 `json:"timeline"`
}

// WALRead is the WAL of the target that was read to find out what it changed.
type WALRead struct {
	Records  int64         `json:"records"`
	Bytes    int64         `json:"bytes"`
	Segments List[Segment] `json:"segments"`
}

// Origin is where a WAL segment is.
type Origin string

// The locations.
const (
	OnTarget  Origin = "target"
	OnSource  Origin = "source"
	InArchive Origin = "archive" // restore_command restored it
	Missing   Origin = "missing" // nowhere: the server cannot start
)

// Segment is a WAL segment, and where it is.
type Segment struct {
	Name  string `json:"name"`
	Where Origin `json:"where"`
}

// Lost is what the rewind discards: everything that the target wrote after the
// divergence. Relations that only became shorter, for example by VACUUM, are not listed
// separately.
type Lost struct {
	WALBytes            int64             `json:"wal_bytes"`
	Committed           int               `json:"committed_transactions"`
	CommittedByDatabase []DatabaseCommits `json:"committed_by_database,omitempty"` // sorted by number, descending; only if the WAL has the database of all of them, as with wal_level = logical
	Prepared            int               `json:"prepared_transactions"`           // for two-phase commit, whether they ended or not
	StillPrepared       List[Prepared]    `json:"still_prepared"`                  // the first of those that never ended
	StillPreparedMore   int               `json:"still_prepared_more,omitempty"`   // how many more there are
	Aborted             int               `json:"aborted_transactions"`
	FirstCommit         *time.Time        `json:"first_commit,omitempty"`
	LastCommit          *time.Time        `json:"last_commit,omitempty"`
	Blocks              int64             `json:"changed_blocks"`
	Relations           List[Relation]    `json:"relations"`                        // changed relations, sorted by blocks, descending
	Created             List[Relation]    `json:"created_relations"`                // the first files of tables and indexes, including rewritten ones
	CreatedMore         int               `json:"created_relations_more,omitempty"` // how many more there are
	Dropped             List[Relation]    `json:"dropped_relations"`                // likewise
	DroppedMore         int               `json:"dropped_relations_more,omitempty"` // how many more there are
	CreatedDatabases    List[string]      `json:"created_databases"`                // their OIDs, since the source never had them
	DroppedDatabases    List[string]      `json:"dropped_databases"`                // names, or OIDs if the names are unknown
	CreatedTablespaces  List[Tablespace]  `json:"created_tablespaces"`
	DroppedTablespaces  List[string]      `json:"dropped_tablespaces"`        // names, or OIDs if the names are unknown
	Messages            int               `json:"logical_messages,omitempty"` // from pg_logical_emit_message; they are in no table
	Unparsed            int               `json:"unparsed_records,omitempty"` // records that may contain further losses
	SavedIn             string            `json:"saved_in,omitempty"`         // the directory in which it is saved or, for a plan, will be
}

// DatabaseCommits is how many transactions were committed in a database.
type DatabaseCommits struct {
	Database  uint32 `json:"database_oid"`
	DBName    string `json:"database_name,omitempty"` // if the source knows it
	Committed int    `json:"committed_transactions"`
}

// Prepared is a transaction that was prepared for two-phase commit, and
// neither committed nor rolled back: its coordinator may still want to do so.
type Prepared struct {
	GID      string    `json:"gid"`     // as in PREPARE TRANSACTION, except for bytes that are not UTF-8
	Literal  string    `json:"literal"` // the exact GID as an SQL literal, escaped if necessary
	XID      uint32    `json:"xid"`
	Database uint32    `json:"database_oid"`
	DBName   string    `json:"database_name,omitempty"` // if the source knows it
	Time     time.Time `json:"prepared_at"`             // according to the target's clock
}

// Tablespace is a tablespace that the source never had.
type Tablespace struct {
	OID      uint32 `json:"oid"`
	Location string `json:"location"` // empty if it is in the data directory
}

// Relation is a relation, identified by its file, with its name if the source
// knows it. All relations in a database that the source never had share one entry, without
// a file and a tablespace.
type Relation struct {
	Tablespace uint32 `json:"tablespace_oid"`
	Database   uint32 `json:"database_oid"`            // zero for shared relations
	FileNode   uint32 `json:"relfilenode"`             // zero for an entry for several relations
	Name       string `json:"name,omitempty"`          // for people, such as "table public.t"
	DBName     string `json:"database_name,omitempty"` // the name of the database
	Schema     string `json:"schema,omitempty"`        // the schema of the relation, or of the table that it belongs to
	Relation   string `json:"relation,omitempty"`      // its unqualified name, without quotes
	RelKind    string `json:"relation_kind,omitempty"` // such as table, index or toast table
	Blocks     int64  `json:"changed_blocks,omitempty"`
	Inserted   int64  `json:"inserted_rows,omitempty"` // by committed transactions; only for tables whose names are known
	Updated    int64  `json:"updated_rows,omitempty"`
	Deleted    int64  `json:"deleted_rows,omitempty"`
	Relations  int    `json:"relations,omitempty"` // for a database that the source never had: how many relations this entry stands for
}

// Start is whether the rewound server will start: where the WAL is that its
// recovery reads until it accepts connections.
type Start struct {
	From     string        `json:"from"`
	To       string        `json:"to"`
	Segments List[Segment] `json:"segments"`
}

// Following is the result of trying the connection that the standby will open.
type Following struct {
	Start    string `json:"start"` // the LSN from which it will first request WAL
	Timeline uint32 `json:"timeline"`
	Slot     string `json:"slot,omitempty"`     // the slot that it will use
	NewSlot  bool   `json:"new_slot,omitempty"` // the rewind creates the slot
	Problem  string `json:"problem,omitempty"`  // why it will not be able to stream
	Advice   string `json:"advice,omitempty"`   // what to do about the problem
}

// Totals are sums over Files.
type Totals struct {
	Files        int         `json:"files"`         // files that are written, created or removed
	FetchBytes   int64       `json:"fetch_bytes"`   // to read from the source
	RemoveBytes  int64       `json:"remove_bytes"`  // of files that are removed or truncated
	SourceBytes  int64       `json:"source_bytes"`  // of all files of the source
	ByKind       List[Total] `json:"by_kind"`       // main, fsm, vm, init, wal, slru, configuration, other
	ByDatabase   List[Total] `json:"by_database"`   // of relations
	ByTablespace List[Total] `json:"by_tablespace"` // of relations
	ByAction     List[Total] `json:"by_action"`
}

// Total is a sum over files that have a property in common.
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
	ActionCreate   FileAction = "create"    // create a directory or a link
	ActionCopy     FileAction = "copy"      // replace or create a file
	ActionCopyTail FileAction = "copy_tail" // append what the source has beyond the target's end
	ActionBlocks   FileAction = "blocks"    // overwrite blocks; other actions may also overwrite blocks
	ActionNone     FileAction = "none"
	ActionTruncate FileAction = "truncate"
	ActionRemove   FileAction = "remove"
	ActionRestore  FileAction = "restore" // put a WAL segment that was restored from an archive in place
)

// KindMain is the Kind of files with the contents of relations.
const KindMain = "main"

// ReasonKept is the Reason of files that stay because the user asked for it.
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
	Blocks     string     `json:"blocks,omitempty"` // blocks to overwrite, such as "0-3 7"
	Link       string     `json:"link,omitempty"`
}

// Saving is what need not be copied because of a rule.
type Saving struct {
	Rule  string `json:"rule"`
	Files int    `json:"files"`
	Bytes int64  `json:"bytes"`
}

// Space is the space that the rewind needs on a file system.
type Space struct {
	Directory string `json:"directory"` // a directory on that file system
	Needed    int64  `json:"needed_bytes"`
	Free      int64  `json:"free_bytes"`
}

// Phase is the cost of a phase of the rewind.
type Phase struct {
	Name    string    `json:"name"`
	Began   time.Time `json:"began"`
	Seconds float64   `json:"seconds"`
	Bytes   int64     `json:"bytes,omitempty"` // fetched
	Files   int       `json:"files,omitempty"` // files of which something was fetched
}

// Error is why a rewind was not started or not finished.
type Error struct {
	Message          string   `json:"message"`
	Condition        string   `json:"condition"` // a stable identifier
	Action           NextStep `json:"action"`    // what to do next
	Phase            string   `json:"phase"`
	TargetUntouched  bool     `json:"target_untouched"`
	CrashRecovered   bool     `json:"crash_recovered,omitempty"` // crash recovery changed the target, in this run
	NeedsSource      bool     `json:"needs_source,omitempty"`    // the target is partly rewound in place, and finishing it requires the source
	Retryable        bool     `json:"retryable"`                 // the action is only to run the same command again
	BaseBackupNeeded bool     `json:"base_backup_needed"`        // the action is resync or base_backup
	ExitStatus       int      `json:"exit_status"`
	Details          []string `json:"details,omitempty"`
	Hints            []string `json:"hints,omitempty"`
}

// untouched says that the target was not changed, if that is so.
func (e *Error) untouched() string {
	if e.CrashRecovered {
		return "The target was not changed, except by its crash recovery."
	}
	return "The target was not changed."
}

// Words describe the evidence for people.
func (e Evidence) Words() string {
	switch e {
	case ByChanges:
		return "the changes of both sides"
	case ByComparison:
		return "a comparison of all files"
	}
	return "the target's WAL"
}

// Label is the name of the damaged relation or, if that is unknown, of the file.
func (d *Damage) Label() string {
	if d.Relation == nil {
		return d.Path
	}
	return d.Relation.String()
}
