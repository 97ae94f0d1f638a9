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

// filter is what a server's messages have to pass. Everything comes through it, before
// pgx makes room for it, and nothing passes that was not asked for, that is longer
// than it can be, or that comes too often: the first such message is an error, and
// the last thing that is read. So a server decides neither how much memory it costs
// nor how long it is listened to: only what was asked for, or leads to it, is progress.
type filter struct {
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

func newFilter(r io.Reader, p *watchdog) *filter {
	return &filter{from: bufio.NewReaderSize(r, readAhead), watchdog: p, authenticating: true, hashed: map[uint32]bool{}}
}

// ask says what may come until the next synchronization point. Answers that are due
// already come before.
func (f *filter) ask(answers ...answer) {
	f.due = append(f.due, questions{answers: answers})
	f.watchdog.progress() // how much is asked is not up to the server
}

// askOnly is ask where nothing else can be under way any more.
func (f *filter) askOnly(answers ...answer) {
	f.due = nil
	f.ask(answers...)
}

// shut lets nothing more pass. What is still to come of an answer is not waited for.
func (f *filter) shut(why error) {
	if f.err == nil {
		f.err = why
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
func (f *filter) Read(b []byte) (n int, err error) {
	for f.err == nil {
		switch {
		case len(f.out) > 0:
			n = copy(b, f.out)
			f.out = f.out[n:]
			return n, nil
		case f.row > 0:
			n, f.err = f.from.Read(b[:min(int64(len(b)), f.row)])
			f.row -= int64(n)
			f.cameOfRow(n)
			return n, f.err
		case f.skip > 0:
			n, f.err = f.from.Discard(int(min(f.skip, readAhead)))
			f.skip -= int64(n)
		default:
			f.err = f.next()
		}
	}
	return 0, f.err
}

func (f *filter) cameOfRow(n int) {
	if f.progress += int64(n); f.progress >= progressBytes {
		f.moved()
	}
}

func (f *filter) moved() {
	f.progress, f.asides, f.asideBytes = 0, 0, 0
	f.watchdog.progress()
}

// next looks at the next message. Where nothing is due, nobody has a reason to wait for
// one: pgx took for the middle of an answer what the server said was the end, and would
// read on without looking at its context.
func (f *filter) next() error {
	if !f.authenticating && len(f.due) == 0 {
		return unwanted("a synchronization point in the middle of an answer")
	}
	head, err := f.from.Peek(5)
	if err != nil {
		return err
	}
	kind, size := head[0], int64(int32(binary.BigEndian.Uint32(head[1:])))-4
	rule, known := rules[kind]
	switch {
	case !known || f.authenticating && !rule.early || !f.authenticating && !rule.later:
		return unwanted("a message of the kind %q, which has no place there", kind)
	case size < 0 || rule.most > 0 && size > rule.most || rule.empty && size > 0:
		return unwanted("a message of the kind %q with a length of %d bytes", kind, size)
	case rule.aside:
		f.asides++
		f.asideBytes += size
		if f.asides > maxAsides || f.asideBytes > maxAsideBytes {
			return unwanted("%d messages with %d bytes without going on with what it was asked for, the last of the kind %q", f.asides, f.asideBytes, kind)
		}
	}
	if rule.pass == nil {
		f.skip = 5 + size
		return nil
	}
	return rule.pass(f, size)
}

// whole hands on a message as it is.
func (f *filter) whole(size int64) error {
	_, err := f.take(size)
	return err
}

// take hands on a message as it is, and gives its body.
func (f *filter) take(size int64) ([]byte, error) {
	m, err := f.from.Peek(int(5 + size))
	if err != nil {
		return nil, err
	}
	f.buf = append(f.buf[:0], m...)
	f.out = f.buf
	_, err = f.from.Discard(len(m))
	return f.buf[5:], err
}

// dataRow hands on a row as it comes.
func (f *filter) dataRow(size int64) error {
	if f.due[0].failed || len(f.due[0].answers) == 0 {
		return unwanted("a row that it was not asked for")
	}
	switch a := &f.due[0].answers[0]; {
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
	f.row = 5 + size
	return nil
}

// complete is the end of an answer.
func (f *filter) complete(size int64) error {
	if f.due[0].failed || len(f.due[0].answers) == 0 {
		return unwanted("the end of an answer that it was not asked for")
	}
	f.due[0].answers = f.due[0].answers[1:]
	f.moved()
	return f.whole(size)
}

// ready is a synchronization point, the first one the end of the authentication.
func (f *filter) ready(size int64) error {
	switch {
	case f.authenticating:
		f.authenticating = false
	case !f.due[0].failed && len(f.due[0].answers) > 0:
		return unwanted("a synchronization point instead of the %d answers that are due", len(f.due[0].answers))
	default:
		f.due = f.due[1:]
	}
	f.moved()
	return f.whole(size)
}

// refusal is an error of the server's, which can come at any time.
func (f *filter) refusal(size int64) error {
	if f.asides++; f.asides > maxAsides {
		return unwanted("%d errors and nothing else", f.asides)
	}
	kept := min(size, maxAsideBytes)
	m, err := f.from.Peek(int(5 + kept))
	if err != nil {
		return err
	}
	f.buf = appendMessage(f.buf[:0], 'E', cleanError(m[5:]))
	f.out, f.skip = f.buf, 5+size
	if len(f.due) > 0 {
		f.due[0].failed = true
	}
	return nil
}

func appendMessage(to []byte, kind byte, body []byte) []byte {
	to = binary.BigEndian.AppendUint32(append(to, kind), uint32(len(body)+4))
	return append(to, body...)
}
