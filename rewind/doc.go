// Package rewind brings a data directory that has diverged back in line with the
// server that took over, as pg_rewind does: it is the package for programs.
//
// [Prepare] inspects both sides and decides what to do; [Rewind.Plan] shows it;
// [Rewind.Apply] does it. [ReadStatus] tells whether an earlier rewind of a directory was
// committed and did not end, and [Resume] finishes it, without the source. docs/library.md
// has more words, and the examples below are what a program needs.
//
// # What now?
//
// What goes wrong is an [*Error]. Its Action is what to do next, and there is always
// exactly one: the same again later (retry), the same again as soon as the source can be
// reached (retry_with_source), Resume or the same again (resume), change something first
// (fix), the same with [Options].Resync or a base backup (resync), a base backup
// (base_backup). Its Condition is what went wrong. Where there are several actions, the
// Action of the error says which. After the commit, when Error.TargetUntouched is false,
// retry and unexpected become resume, or retry_with_source where the rewind was in place.
// With Options.Resync, resync becomes fix: what is left is a matter of the source.
//
//	condition               action                   what it is
//	interrupted             retry                    the context was cancelled, or its time was over
//	target_locked           retry                    another gorewind works on the target
//	target_running          fix                      stop the target's server
//	target_changed          fix                      something else writes to the target
//	target_not_clean        fix                      let its server stop cleanly, or set EnsureShutdown
//	target_lost             base_backup              what a committed rewind staged is damaged
//	source_running          fix                      stop it, or connect to it
//	source_not_clean        fix                      start it and stop it again
//	source_unavailable      retry_with_source        it does not answer any more
//	source_unreachable      retry_with_source        nobody answers at its address
//	source_starting         retry_with_source        it starts or stops
//	too_many_connections    retry_with_source        it has as many as it may have
//	unknown_host            retry_with_source, fix   its name does not resolve: for now, or at all
//	wrong_kind_of_source    retry_with_source        target_session_attrs: it may be promoted yet
//	wrong_password          fix                      the password, or the role, is wrong
//	no_password             fix                      it wants one
//	connection_not_allowed  fix                      pg_hba.conf, or the database, does not let us in
//	no_such_database        fix                      any of its databases will do
//	no_such_role            fix                      make the role, or name another one
//	tls_failed              fix                      sslmode and the certificates of both sides
//	bad_connection_string   fix                      it cannot be understood
//	source_changed          retry                    it was promoted, replaced or written to meanwhile
//	source_pooled           fix                      connect to the server itself
//	source_damaged          fix                      pages of the source have wrong checksums
//	source_untrusted        fix                      it sent what no server sends
//	missing_privilege       fix                      run the statements that the error has
//	same_directory          fix                      source and target are one, or one in the other
//	not_a_data_directory    fix                      give a data directory
//	different_systems       fix                      they are not of one cluster
//	incompatible            fix                      they are of different majors, or differ in block size
//	unsupported_version     fix                      a version that this gorewind does not know
//	missing_control_file    fix, resync              of the source, of the target: ResyncCompare
//	damaged_control_file    fix, resync              of the source, of the target: ResyncCompare
//	damaged_history         fix                      copy the history file from an archive
//	no_page_hints           resync                   no checksums and no wal_log_hints
//	full_page_writes_off    fix                      set full_page_writes = on on the source
//	wal_level_minimal       resync                   WAL that does not tell all
//	checksums_differ        fix                      switch data checksums on one side
//	fork_unknown            resync                   where the two parted cannot be found out
//	unsafe_replay           resync                   recovery would spoil newer files
//	unproven                resync                   that both had the same WAL is not proven
//	cannot_follow           retry, fix               the source would not let the standby stream
//	other_timeline          fix                      recovery would choose another timeline
//	no_common_ancestor      resync                   their histories have nothing in common
//	missing_wal             fix, resync              an archive may have it, or cannot
//	damaged_wal             resync                   the target's WAL cannot be read
//	unknown_wal_record      resync                   an extension's, or of a version to come
//	archive_failed          retry, fix               the command failed, or is not set or not found
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
// A context that is cancelled before the commit leaves the target as it was, and one that
// is cancelled after it an unfinished rewind: no server starts, and Resume finishes it. See
// [Options].FinishCommitted for a rewind that is not interrupted any more.
package rewind
