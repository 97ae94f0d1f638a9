package pgsource

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/gorewind/gorewind/source"
)

// readAhead is how much is taken from the network at once, in bytes: pgproto3 alone
// takes no more than the message that it wants.
const readAhead = 128 << 10

// What a server may send beside the rows that it was asked for. Asides are messages
// that nothing comes of, such as notices and parameters that changed: between two
// signs of progress a server may send some. It can be its settings that make it do so.
const (
	maxAsides     = 256
	maxAsideBytes = 64 << 10
	maxError      = 1 << 20 // of an error; what is kept of it is in cleanError
)

// progressBytes of rows that were asked for are progress. A server sends rows when
// it has 8 kB of them, or no more: so whoever sends single bytes to keep a connection
// alive is not working.
const progressBytes = 4 << 10

// answer is how much may come in answer to a statement.
type answer struct {
	rows  int   // at most
	width int   // of a row, in bytes, at most
	bytes int64 // of all rows, at most; zero: no other limit than the one of rows and width

	streamed bool // it is a stream of WAL: rows and width are those of its messages
	flows    bool // that has begun
}

// oneRow is the answer to a question of which only the meaning is of interest.
var oneRow = answer{rows: 1, width: 4 << 10}

// questions are what was asked for up to a synchronization point.
type questions struct {
	answers []answer // that are still to come
	failed  bool     // the server refused; only the end is to come
}

// gate is what a server's messages have to pass. Everything comes through it, before
// pgx makes room for it, and nothing passes that was not asked for, that is longer
// than it can be, or that comes too often: the first such message is an error, and
// the last thing that is read. So a server decides neither how much memory it costs
// nor how long it is listened to: only what was asked for, or leads to it, is progress.
type gate struct {
	from     *bufio.Reader
	watchdog *watchdog
	err      error       // what ended it
	due      []questions // oldest first

	authenticating bool            // nothing can be asked yet
	noPassword     error           // what ends it where the server asks for one; nil: there is one
	rounds         int             // of authentication
	hashed         map[uint32]bool // what authentication asked for already, of what costs work
	asides         int             // since something last came of it
	asideBytes     int64
	progress       int64 // of bytes of rows that do not count as progress yet

	// The message that is being read:
	out  []byte // to be handed on
	row  int64  // bytes of a row that are to be handed on as they come
	skip int64  // bytes that are not to be handed on
	buf  []byte // of out
}

func newGate(r io.Reader, p *watchdog) *gate {
	return &gate{from: bufio.NewReaderSize(r, readAhead), watchdog: p, authenticating: true, hashed: map[uint32]bool{}}
}

// ask says what may come until the next synchronization point. Answers that are due
// already come before.
func (g *gate) ask(answers ...answer) {
	g.due = append(g.due, questions{answers: answers})
	g.watchdog.progress() // how much is asked is not up to the server
}

// askOnly is ask where nothing else can be under way any more.
func (g *gate) askOnly(answers ...answer) {
	g.due = nil
	g.ask(answers...)
}

// shut lets nothing more pass. What is still to come of an answer is not waited for.
func (g *gate) shut(why error) {
	if g.err == nil {
		g.err = why
	}
}

// unwantedError says what a server sent that it should not have sent.
type unwantedError struct{ what string }

func (e *unwantedError) Error() string {
	return "it sent " + e.what + ": what answers there is no sound PostgreSQL server; find out what it is before you run gorewind again"
}

func (e *unwantedError) Unwrap() error { return source.ErrUntrusted }

func unwanted(format string, args ...any) error { return &unwantedError{fmt.Sprintf(format, args...)} }

// Read gives pgx what passes. After an error it gives that again: where a message
// was broken off, nobody knows where the next one begins.
func (g *gate) Read(b []byte) (n int, err error) {
	for g.err == nil {
		switch {
		case len(g.out) > 0:
			n = copy(b, g.out)
			g.out = g.out[n:]
			return n, nil
		case g.row > 0:
			n, g.err = g.from.Read(b[:min(int64(len(b)), g.row)])
			g.row -= int64(n)
			g.cameOfRow(n)
			return n, g.err
		case g.skip > 0:
			n, g.err = g.from.Discard(int(min(g.skip, readAhead)))
			g.skip -= int64(n)
		default:
			g.err = g.next()
		}
	}
	return 0, g.err
}

func (g *gate) cameOfRow(n int) {
	if g.progress += int64(n); g.progress >= progressBytes {
		g.moved()
	}
}

func (g *gate) moved() {
	g.progress, g.asides, g.asideBytes = 0, 0, 0
	g.watchdog.progress()
}

// next looks at the next message. Where nothing is due, nobody has a reason to wait for
// one: pgx took for the middle of an answer what the server said was the end, and would
// read on without looking at its context.
func (g *gate) next() error {
	if !g.authenticating && len(g.due) == 0 {
		return unwanted("a synchronization point in the middle of an answer")
	}
	head, err := g.from.Peek(5)
	if err != nil {
		return err
	}
	kind, size := head[0], int64(int32(binary.BigEndian.Uint32(head[1:])))-4
	rule, known := rules[kind]
	switch {
	case !known || g.authenticating && !rule.early || !g.authenticating && !rule.later:
		return unwanted("a message of the kind %q, which has no place there", kind)
	case size < 0 || rule.most > 0 && size > rule.most || rule.empty && size > 0:
		return unwanted("a message of the kind %q with a length of %d bytes", kind, size)
	case rule.aside:
		g.asides++
		g.asideBytes += size
		if g.asides > maxAsides || g.asideBytes > maxAsideBytes {
			return unwanted("%d messages with %d bytes without going on with what it was asked for, the last of the kind %q", g.asides, g.asideBytes, kind)
		}
	}
	if rule.pass == nil {
		g.skip = 5 + size
		return nil
	}
	return rule.pass(g, size)
}

// whole hands on a message as it is.
func (g *gate) whole(size int64) error {
	_, err := g.take(size)
	return err
}

// take hands on a message as it is, and gives its body.
func (g *gate) take(size int64) ([]byte, error) {
	m, err := g.from.Peek(int(5 + size))
	if err != nil {
		return nil, err
	}
	g.buf = append(g.buf[:0], m...)
	g.out = g.buf
	_, err = g.from.Discard(len(m))
	return g.buf[5:], err
}

// dataRow hands on a row as it comes.
func (g *gate) dataRow(size int64) error {
	if g.due[0].failed || len(g.due[0].answers) == 0 {
		return unwanted("a row that it was not asked for")
	}
	switch a := &g.due[0].answers[0]; {
	case a.rows <= 0:
		return unwanted("more rows than it was asked for")
	case size > int64(a.width):
		return unwanted("a row of %d bytes where one of at most %d was asked for", size, a.width)
	case a.bytes != 0 && a.bytes < size:
		return unwanted("more bytes than it was asked for")
	default:
		a.rows--
		if a.bytes != 0 {
			a.bytes = max(a.bytes-size, 1)
		}
	}
	g.row = 5 + size
	return nil
}

// complete is the end of an answer.
func (g *gate) complete(size int64) error {
	if g.due[0].failed || len(g.due[0].answers) == 0 {
		return unwanted("the end of an answer that it was not asked for")
	}
	g.due[0].answers = g.due[0].answers[1:]
	g.moved()
	return g.whole(size)
}

// ready is a synchronization point, the first one the end of the authentication.
func (g *gate) ready(size int64) error {
	switch {
	case g.authenticating:
		g.authenticating = false
	case !g.due[0].failed && len(g.due[0].answers) > 0:
		return unwanted("a synchronization point instead of the %d answers that are due", len(g.due[0].answers))
	default:
		g.due = g.due[1:]
	}
	g.moved()
	return g.whole(size)
}

// refusal is an error of the server's, which can come at any time.
func (g *gate) refusal(size int64) error {
	if g.asides++; g.asides > maxAsides {
		return unwanted("%d errors and nothing else", g.asides)
	}
	kept := min(size, maxAsideBytes)
	m, err := g.from.Peek(int(5 + kept))
	if err != nil {
		return err
	}
	g.buf = appendMessage(g.buf[:0], 'E', cleanError(m[5:]))
	g.out, g.skip = g.buf, 5+size
	if len(g.due) > 0 {
		g.due[0].failed = true
	}
	return nil
}

func appendMessage(to []byte, kind byte, body []byte) []byte {
	to = binary.BigEndian.AppendUint32(append(to, kind), uint32(len(body)+4))
	return append(to, body...)
}
