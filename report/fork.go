package report

import (
	"fmt"
	"strings"
)

// strokes are the characters that lines are drawn with.
type strokes struct{ flat, side, up, down, fork, mark, source, target string }

var (
	asciiStrokes = strokes{"-", "|", "/", "\\", "+", "o", ">", "x"}
	lineStrokes  = strokes{"─", "│", "╭", "╰", "┤", "◆", "▶", "✕"}
)

// roomy is the width from which on there is room for long branches.
const roomy = 60

// fork draws where the two histories diverge: the shared part from the left, the
// source's branch above, and the target's branch, which is lost, below.
func (t *text) fork(d *Document) {
	if d.Divergence == nil || d.Target == nil || d.Source == nil {
		return
	}
	s, branch := asciiStrokes, 4
	if t.Unicode {
		s = lineStrokes
	}
	if t.Width >= roomy {
		branch = 10
	}
	t.title("Where they diverge")

	// The positions in the WAL are above the line of the shared part.
	const longest = 17 // characters of an LSN
	places := "  "
	trunk := strings.Repeat(s.flat, 2)
	if c := d.Checkpoint; c != nil && t.Width >= roomy {
		lsn := cut(c.LSN, longest)
		half := columnsOf(lsn) / 2
		places += lsn + "   "
		trunk = strings.Repeat(s.flat, half) + s.mark + strings.Repeat(s.flat, columnsOf(lsn)-half+2)
	} else if c != nil {
		trunk = s.flat + s.mark
	}
	divergence := cut(d.Divergence.LSN, longest)
	at := columnsOf(places+divergence) + 1
	trunk += strings.Repeat(s.flat, max(0, at-2-columnsOf(trunk)))
	before := strings.Repeat(" ", at)
	beside := func(begin, stroke, end, words string) {
		drawing := before + begin + strings.Repeat(stroke, branch) + end + " "
		t.flow(drawing, strings.Repeat(" ", columnsOf(drawing)), words)
	}
	beside(s.up, s.flat, s.source, fmt.Sprintf("source, timeline %d", d.Source.Timeline))
	t.line(places + divergence + " " + s.side)
	t.line("  " + trunk + s.fork)
	t.line(before + s.side)
	beside(s.down, s.flat, s.target, fmt.Sprintf("target, timeline %d", d.Target.Timeline))
	if l := d.Lost; l != nil {
		beside(" ", " ", " ", fmt.Sprintf("%s, %s: lost", Count(int64(l.Committed), "commit"), Bytes(l.WALBytes)+" of WAL"))
	}

	t.wrapped("", fmt.Sprintf("divergence at %s on timeline %d", d.Divergence.LSN, d.Divergence.Timeline))
	if c := d.Checkpoint; c != nil {
		t.wrapped("", fmt.Sprintf("last common checkpoint at %s, replay from %s", c.LSN, c.Redo))
	}
	if d.Target.EndOfWAL != "" {
		t.wrapped("", "the target's WAL ends at "+d.Target.EndOfWAL)
	}
	t.walRead(d.WALRead)
}

func (t *text) walRead(r *WALRead) {
	if r == nil {
		return
	}
	archived := 0
	for _, s := range r.Segments {
		if s.Where == InArchive {
			archived++
		}
	}
	read := fmt.Sprintf("read %s of WAL in %s", Bytes(r.Bytes), Count(int64(len(r.Segments)), "segment"))
	if archived > 0 {
		read += fmt.Sprintf(", %d of them from the archive", archived)
	}
	t.wrapped("", read)
}
