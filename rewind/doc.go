// Package rewind brings a data directory that has diverged back in line with the
// server that took over, as pg_rewind does. It is the package for programs to import.
//
// [Prepare] inspects both sides and decides what to do; [Rewind.Plan] shows it;
// [Rewind.Apply] does it. [ReadStatus] reports whether an earlier rewind of a directory
// was committed and is not finished, and [Resume] finishes it without the source. The
// examples below show what a program needs, and docs/library.md explains more.
//
// # What now?
//
// Every failure is an [*Error]. Its Action is what to do next, and there is always
// exactly one: the same call again later (retry); the same call again as soon as the
// source can be reached (retry_with_source); Resume or the same call again (resume);
// change something first (fix); the same call with [Options].Resync, or a base backup
// (resync); a base backup (base_backup). Its Condition is what went wrong. If the table
// has several actions for a condition, the Action of the error says which applies. After
// the commit, when Error.TargetUntouched is false, retry and unexpected become resume, or
// retry_with_source if the rewind was in place. With Options.Resync, resync becomes fix:
// then the cause is on the source.
//
//	condition               action                   what it is
//	interrupted             retry                    the context was cancelled, or its deadline passed
//	target_locked           retry                    another gorewind works on the target
//	target_running          fix                      stop the target's server
//	target_changed          fix                      something else writes to the target
//	target_not_clean        fix                      let its server stop cleanly, or set EnsureShutdown
//	target_lost             base_backup              what a committed rewind staged is damaged
//	source_running          fix                      stop it, or connect to it
//	source_not_clean        fix                      start it and stop it again
//	source_unavailable      retry_with_source        it stopped answering
//	source_unreachable      retry_with_source        nobody answers at its address
//	source_starting         retry_with_source        it is starting or stopping
//	too_many_connections    retry_with_source        it has reached its maximum number of connections
//	unknown_host            retry_with_source, fix   its name does not resolve, for now or at all
//	wrong_kind_of_source    retry_with_source        target_session_attrs: the server may still be promoted
//	wrong_password          fix                      the password, or the role, is wrong
//	no_password             fix                      the server asks for a password, and none was given
//	connection_not_allowed  fix                      pg_hba.conf or the database does not allow the connection
//	no_such_database        fix                      name another database; any will do
//	no_such_role            fix                      create the role, or name another one
//	tls_failed              fix                      check sslmode and the certificates of both sides
//	bad_connection_string   fix                      it cannot be parsed
//	source_changed          retry                    it was promoted, replaced or written to meanwhile
//	source_pooled           fix                      connect to the server itself
//	source_damaged          fix                      pages of the source have wrong checksums
//	source_untrusted        fix                      it sent something that no server sends
//	missing_privilege       fix                      run the statements that the error contains
//	same_directory          fix                      source and target are the same directory, or one is in the other
//	not_a_data_directory    fix                      name a data directory
//	different_systems       fix                      they do not belong to one cluster
//	incompatible            fix                      they are different major versions, or differ in block size
//	unsupported_version     fix                      a version that this gorewind does not know
//	missing_control_file    fix, resync              of the source, of the target: ResyncCompare
//	damaged_control_file    fix, resync              of the source, of the target: ResyncCompare
//	damaged_history         fix                      copy the history file from an archive
//	no_page_hints           resync                   no checksums and no wal_log_hints
//	full_page_writes_off    fix                      set full_page_writes = on on the source
//	wal_level_minimal       resync                   WAL does not show all changes
//	checksums_differ        fix                      switch data checksums on or off on one side
//	fork_unknown            resync                   where the two diverged cannot be determined
//	unsafe_replay           resync                   recovery would damage newer files
//	unproven                resync                   it is not proven that both had the same WAL
//	cannot_follow           retry, fix               the standby could not stream from the source
//	other_timeline          fix                      recovery would choose another timeline
//	no_common_ancestor      resync                   their histories have nothing in common
//	missing_wal             fix, resync              fix if an archive may have it
//	damaged_wal             resync                   the target's WAL cannot be read
//	unknown_wal_record      resync                   of an extension, or of a newer version
//	archive_failed          retry, fix               the command failed, is not set, or was not found
//	bad_configuration       fix                      a server would not start with it
//	no_space                fix                      make room on that file system
//	target_not_writable     fix                      permissions, mount points, read-only disks
//	plan_outdated           fix                      make a new plan
//	nothing_to_resume       fix                      run a rewind
//	invalid_options         fix                      a mistake in Options
//	unexpected              fix                      anything else: look at the message
//
// # Contexts
//
// If a context is cancelled before the commit, the target is unchanged. If it is
// cancelled after that, the rewind is unfinished: no server starts, and Resume finishes
// it. With [Options].FinishCommitted a committed rewind is no longer interrupted.
package rewind
