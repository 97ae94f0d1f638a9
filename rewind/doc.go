// Package rewind brings a data directory that has diverged back in line with the
// server that took over, as pg_rewind does: it is the package for programs.
//
// [Prepare] inspects both sides and decides what to do, without changing
// anything; [Rewind.Plan] shows it; [Rewind.Apply] does it. What goes wrong is an
// [*Error], which says in which phase and whether the target is as it was.
package rewind
