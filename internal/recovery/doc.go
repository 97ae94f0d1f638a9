// Package recovery brings a cluster that was not shut down cleanly to a state
// from which it can be rewound: with a single-user server, as pg_rewind does, or
// by determining that no server is needed.
//
// # A killed primary
//
// Its files lack changes that its WAL contains, so a single-user server replays that WAL
// ([Run]). Three things differ from pg_rewind. The server keeps fsync on, because
// the directory may be the only copy of the data. It is told to keep all
// WAL: otherwise its own checkpoints would remove the very segments that show what the
// cluster changed since the divergence (without archiving, every major does that
// as soon as it has recovered). And the files that make the cluster a standby are set aside
// in the meantime: a high-availability tool may already have written them, and a
// single-user server refuses to be a standby, while a recovery.signal or an old
// recovery.conf without standby_mode would make it run restore_command and begin
// a timeline of its own.
//
// The server looks for those files once, at the start. They are put back as soon
// as it logs that it has done so. So a kill of gorewind could leave a standby that
// starts as a primary only for a short time, and the next run ends that state
// ([RestoreSignalFiles]).
//
// # A killed standby
//
// It needs no recovery, and must not get one unless it will certainly be
// rewound. A single-user server ends with a checkpoint. On a standby that record
// is where the primary has other WAL, on the same timeline: the standby has
// diverged from the primary, and no timeline number shows it. It starts again and serves
// reads, but never streams again: "invalid record length", "record with incorrect
// prev-link", repeatedly (observed on 9.6, 11, 13, 17 and 19).
//
// Nor does a rewind need the effects of recovery. A standby advances its minimum recovery
// point, on disk, before it writes a newer page
// (UpdateMinRecoveryPoint, xlog.c). So
//
//   - everything in its files comes from WAL before that point. Blocks that were
//     changed between the divergence and that point come from the source;
//   - what its files lack was replayed after its last restartpoint, the
//     control file's checkpoint. It comes back if the rewound server replays
//     from that checkpoint's redo point or earlier;
//   - a page that was torn by the crash was changed after that redo point, too.
//     The first record to do so has an image of the whole page (full_page_writes).
//
// The result of a rewind is then the same as a base backup that began at that redo
// point. The last common checkpoint is often newer, because a standby makes
// restartpoints at its own times. Then replay from there ends with lost rows (observed
// on 9.6 and 17), and replay from the restartpoint with the right ones (9.6 to
// 19). So for [OlderStart] the caller must
//
//   - begin the recovery (backup_label, WAL that is kept) at the older of the
//     last common checkpoint and the target's own;
//   - use as the end of the target's WAL not the minimum recovery point but the
//     end of the last valid record in its WAL directory. A standby first replays the
//     WAL that it has there. If that extends beyond the divergence, it
//     follows the wrong history, and from then on logs "new timeline forked off before
//     current recovery point" (observed on 9.6, 13 and 17), although its files were right
//     before that start. Rewound as described here, it follows the source
//     (9.6 to 19).
//
// One gap remains: a server that was just promoted accepts writes some
// milliseconds before its control file, on disk, says that it is in production.
// It has no signal file then, so [Assess] treats it like a primary.
//
// # What the caller must do, in this order
//
//  1. Check that no server runs, then call RestoreSignalFiles.
//  2. Finish an unfinished rewind, which a poisoned control file shows.
//  3. Find the end of the target's WAL, in any state, without writing, and
//     decide whether a rewind is required. If not, nothing here is needed, and it would
//     be wrong: a primary that lost WAL, and had not reached the fork, can follow as
//     it is, but not if the checkpoint of a single-user server replaces WAL
//     that the source has. Then it also does not matter if a cluster was never
//     started since it was rewound, which Assess calls inconsistent.
//  4. Assess. For SingleUser call Run, and examine the target again.
package recovery
