package rewind

// Condition is a stable name for what went wrong, for programs that act on it and for
// the JSON that they read.
type Condition string

// The conditions. Each comment says what errors.Is or errors.As finds.
const (
	Interrupted          Condition = "interrupted"            // context.Canceled, context.DeadlineExceeded
	TargetLocked         Condition = "target_locked"          // ErrTargetLocked
	TargetRunning        Condition = "target_running"         // ErrTargetRunning
	TargetChanged        Condition = "target_changed"         // ErrTargetChanged
	TargetNotClean       Condition = "target_not_clean"       // ErrTargetNotClean, *RecoveryError, *ServerProgramError: crash recovery failed or cannot be done
	TargetLost           Condition = "target_lost"            // ErrTargetLost
	SourceRunning        Condition = "source_running"         // ErrSourceRunning
	SourceNotClean       Condition = "source_not_clean"       // ErrSourceNotClean
	SourceUnavailable    Condition = "source_unavailable"     // ErrSourceUnavailable: it stopped answering
	SourceUnreachable    Condition = "source_unreachable"     // source.ErrUnreachable: nothing answers at its address
	SourceStarting       Condition = "source_starting"        // source.ErrNotReady: it is starting or stopping
	TooManyConnections   Condition = "too_many_connections"   // source.ErrTooManyConnections
	UnknownHost          Condition = "unknown_host"           // source.ErrUnknownHost
	WrongKindOfSource    Condition = "wrong_kind_of_source"   // source.ErrWrongKind: target_session_attrs wants another one
	WrongPassword        Condition = "wrong_password"         // source.ErrWrongPassword; or there is no such role
	NoPassword           Condition = "no_password"            // source.ErrNoPassword
	ConnectionNotAllowed Condition = "connection_not_allowed" // source.ErrNotAllowed: by pg_hba.conf or by the database
	NoSuchDatabase       Condition = "no_such_database"       // source.ErrNoDatabase
	NoSuchRole           Condition = "no_such_role"           // source.ErrNoRole
	TLSFailed            Condition = "tls_failed"             // source.ErrNoTLS, source.ErrTLS
	BadConnString        Condition = "bad_connection_string"  // source.ErrConnString
	SourceChanged        Condition = "source_changed"         // ErrSourceChanged, *SourceFileError
	SourcePooled         Condition = "source_pooled"          // ErrSourcePooled
	SourceDamaged        Condition = "source_damaged"         // ErrSourceDamaged, *DamagedPagesError
	SourceUntrusted      Condition = "source_untrusted"       // ErrSourceUntrusted, source.ErrUntrusted
	MissingPrivilege     Condition = "missing_privilege"      // ErrPrivilege; the error names the statements to run
	SameDirectory        Condition = "same_directory"         // ErrSameDirectory, ErrNested
	NotADataDirectory    Condition = "not_a_data_directory"   // ErrNotADataDirectory
	DifferentSystems     Condition = "different_systems"      // ErrDifferentSystems
	Incompatible         Condition = "incompatible"           // ErrIncompatible, controlfile.ErrPlatform
	UnsupportedVersion   Condition = "unsupported_version"    // *pgdata.UnsupportedVersionError
	MissingControlFile   Condition = "missing_control_file"   // ErrNoControlFile
	DamagedControlFile   Condition = "damaged_control_file"   // *controlfile.Error
	DamagedHistory       Condition = "damaged_history"        // *timeline.ParseError, ErrNoHistory
	NoPageHints          Condition = "no_page_hints"          // ErrNoPageHints
	FullPageWritesOff    Condition = "full_page_writes_off"   // ErrFullPageWrites
	WALLevelMinimal      Condition = "wal_level_minimal"      // ErrWALLevel
	ChecksumsDiffer      Condition = "checksums_differ"       // ErrChecksumsDiffer
	ForkUnknown          Condition = "fork_unknown"           // ErrForkUnknown
	UnsafeReplay         Condition = "unsafe_replay"          // ErrUnsafeReplay
	Unproven             Condition = "unproven"               // ErrUnproven; only with Options.Resync
	CannotFollow         Condition = "cannot_follow"          // ErrCannotFollow, *source.ReplicationError; only with Options.Resync, CheckReplication or MakeSlot
	OtherTimeline        Condition = "other_timeline"         // ErrOtherTimeline
	NoCommonAncestor     Condition = "no_common_ancestor"     // timeline.ErrNoCommonAncestor
	MissingWAL           Condition = "missing_wal"            // *MissingWALError, *CannotStartError: a required segment was found nowhere; ErrChangesUnknown
	DamagedWAL           Condition = "damaged_wal"            // *walreader.Error, *walreader.BoundaryError
	UnknownWALRecord     Condition = "unknown_wal_record"     // *walreader.UnknownRecordError
	ArchiveFailed        Condition = "archive_failed"         // *ArchiveError, *FetchWALError, ErrNoRestoreCommand
	BadConfiguration     Condition = "bad_configuration"      // *ConfigError: the target's configuration cannot be read
	NoSpace              Condition = "no_space"               // *SpaceError, and ENOSPC and EDQUOT if they come from the target's file systems
	TargetNotWritable    Condition = "target_not_writable"    // Obstacles, and fs.ErrPermission if it comes from the target
	PlanOutdated         Condition = "plan_outdated"          // ErrPlanOutdated
	NothingToResume      Condition = "nothing_to_resume"      // ErrNothingToResume
	InvalidOptions       Condition = "invalid_options"        // ErrOptions
	UnexpectedCondition  Condition = "unexpected"             // anything else
)
