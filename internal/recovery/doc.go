// Package recovery brings a cluster that was not shut down cleanly to a state
// from which it can be rewound: with a single-user server, as pg_rewind does, or
// by telling that no server is needed.
//
// # A killed primary
//
// Its files lack what its WAL says, so a single-user server replays that WAL
// ([Run]). Three things differ from pg_rewind. The server keeps fsync on, because
// the directory may be the only copy of what it holds. It is told to keep all
// WAL: its own checkpoints would else remove the very segments that tell what the
// cluster changed since the divergence (without archiving, every major does that
// as soon as it has recovered). And what makes the cluster a standby is set aside
// meanwhile: a high availability tool may have written it already, and a
// single-user server refuses to be a standby, while a recovery.signal or an old
// recovery.conf without standby_mode would make it run restore_command and begin
// a timeline of its own.
//
// The server looks for those files once, at the start. They are put back as soon
// as it says that it goes on, so the time in which a kill of gorewind could leave
// a standby that starts as a primary is short, and the next run ends it
// ([PutBack]).
//
// # A killed standby
//
// It needs no recovery, and must not get it while it is not certain that it is
// rewound. A single-user server ends with a checkpoint. On a standby that record
// lies where the primary has other WAL, on the same timeline: the standby has
// left the primary, and no timeline number shows it. It starts again and serves
// reads, but streams no more: "invalid record length", "record with incorrect
// prev-link", without end (seen on 9.6, 11, 13, 17 and 19).
//
// Nor does a rewind need what recovery would do. A standby moves its minimum
// recovery point ahead, on disk, before it writes a page that is newer
// (UpdateMinRecoveryPoint, xlog.c). So
//
//   - all that is in its files comes from WAL before that point. Blocks that were
//     changed between the divergence and that point come from the source;
//   - what is missing in its files was replayed after its last restartpoint, the
//     control file's checkpoint; so it comes back if the rewound server replays
//     from that checkpoint's redo point at the latest;
//   - a page that was torn by the crash was changed after that redo point, too.
//     The first record to do so has an image of the whole page (full_page_writes).
//
// What a rewind leaves is then the same as a base backup that began at that redo
// point. The last common checkpoint is often younger, because a standby makes
// restartpoints when it likes: then replay from there ends with lost rows (seen
// on 9.6 and 17), and replay from the restartpoint with the right ones (9.6 to
// 19). So for [OlderStart] the caller
//
//   - begins the recovery (backup_label, WAL that is kept) at the older of the
//     last common checkpoint and the target's own;
//   - takes as the end of the target's WAL not the minimum recovery point but the
//     end of the last valid record in its WAL directory. A standby replays what
//     it has there before it asks anybody. If that goes beyond the divergence it
//     ends on the wrong side, and says "new timeline forked off before current
//     recovery point" from then on (seen on 9.6, 13 and 17), though its files,
//     before that start, were right. Rewound as this says, it follows the source
//     (9.6 to 19).
//
// One moment stays: a server that was just promoted takes writes some
// milliseconds before its control file, on disk, says that it is in production.
// It has no signal file then, so [Assess] has it recovered like a primary.
//
// # What the caller must do in which order
//
//  1. See that no server runs, then call PutBack.
//  2. Finish an unfinished rewind, which a poisoned control file shows.
//  3. Find the end of the target's WAL, of every state, without writing, and
//     decide whether a rewind is required. If none is, nothing here is needed, nor
//     right: a primary that lost WAL, and had not reached the fork, can follow as
//     it is, and would not with the checkpoint of a single-user server in the place
//     of WAL that the source has. Nor does it matter then that a cluster was never
//     started since it was rewound, which Assess calls inconsistent.
//  4. Assess. For SingleUser call Run, and look at the target anew.
package recovery
