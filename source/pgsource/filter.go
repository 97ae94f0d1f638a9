package pgsource

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/gorewind/gorewind/source"
)

// readAhead is how many bytes are read from the network at once: pgproto3 alone
// reads no more than the message that it wants.
const readAhead = 128 << 10

// Limits on what a server may send beside the rows that it was asked for. Asides are
// messages that are not progress, such as notices and changed parameters: a server may
// send a few between two signs of progress, for example because of its settings.
const (
	maxAsides     = 256
	maxAsideBytes = 64 << 10
	maxError      = 1 << 20 // of an error; cleanError decides what is kept of it
)

// progressBytes of requested rows count as progress. A server sends rows when it has
// 8 kB of them or no more to come, so sending single bytes to keep a connection
// alive is not progress.
const progressBytes = 4 << 10

// answer limits what may arrive in answer to a statement.
type answer struct {
	rows  int   // the most rows
	width int   // the most bytes of a row
	bytes int64 // the most bytes of all rows; zero: only rows and width limit them

	streamed bool // it is a stream of WAL, and rows and width refer to its messages
	flows    bool // the stream has begun
}

// oneRow is the answer to a query for a single short row.
var oneRow = answer{rows: 1, width: 4 << 10}

// questions are the queries up to a synchronization point.
type questions struct {
	answers []answer // still expected
	failed  bool     // the server reported an error; only the end is still expected
}

// filter checks all messages of a server before pgx allocates memory for them. It
// passes nothing that was not asked for, that is too long, or that arrives too often.
// The first such message is an error, and nothing is read after it. So a server
// controls neither how much memory it costs nor how long we listen to it: only
// requested data, or what leads to it, counts as progress.
type filter struct {
	from     *bufio.Reader
	watchdog *watchdog
	err      error       // why it stopped
	due      []questions // oldest first

	authenticating bool            // no query can be sent yet
	noPassword     error           // the error if the server asks for a password; nil: there is one
	rounds         int             // of authentication
	hashed         map[uint32]bool // the expensive methods that authentication already asked for
	asides         int             // since the last progress
	asideBytes     int64
	progress       int64 // bytes of rows that do not yet count as progress

	// The message that is being read:
	out  []byte // to be passed on
	row  int64  // bytes of a row to be passed on as they arrive
	skip int64  // bytes to be dropped
	buf  []byte // the memory of out
}

func newFilter(r io.Reader, p *watchdog) *filter {
	return &filter{from: bufio.NewReaderSize(r, readAhead), watchdog: p, authenticating: true, hashed: map[uint32]bool{}}
}

// ask announces what may arrive until the next synchronization point, after the answers
// that are already due.
func (f *filter) ask(answers ...answer) {
	f.due = append(f.due, questions{answers: answers})
	f.watchdog.progress() // the server does not control how much is asked
}

// askOnly is ask when nothing else can be in flight.
func (f *filter) askOnly(answers ...answer) {
	f.due = nil
	f.ask(answers...)
}

// stopWith lets nothing more pass. The rest of an answer is not waited for.
func (f *filter) stopWith(why error) {
	if f.err == nil {
		f.err = why
	}
}

// unwantedError describes what a server sent that it should not have sent.
type unwantedError struct{ what string }

func (e *unwantedError) Error() string {
	return "it sent " + e.what + ": this is not a sound PostgreSQL server; find out what answers at its address before you run gorewind again"
}

func (e *unwantedError) Unwrap() error { return source.ErrUntrusted }

func unwanted(format string, args ...any) error { return &unwantedError{fmt.Sprintf(format, args...)} }

// Read returns to pgx what passes. After an error it keeps returning that error: if a
// message was cut off, it is unknown where the next one begins.
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
			f.countRowBytes(n)
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

func (f *filter) countRowBytes(n int) {
	if f.progress += int64(n); f.progress >= progressBytes {
		f.moved()
	}
}

func (f *filter) moved() {
	f.progress, f.asides, f.asideBytes = 0, 0, 0
	f.watchdog.progress()
}

// next reads the next message. If nothing is due, there is no reason to wait for one: pgx
// took for the middle of an answer what the server considered its end, and would
// read on without checking its context.
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

// whole passes on a message unchanged.
func (f *filter) whole(size int64) error {
	_, err := f.take(size)
	return err
}

// take passes on a message unchanged, and returns its body.
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

// dataRow passes on a row as it arrives.
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

// complete handles the end of an answer.
func (f *filter) complete(size int64) error {
	if f.due[0].failed || len(f.due[0].answers) == 0 {
		return unwanted("the end of an answer that it was not asked for")
	}
	f.due[0].answers = f.due[0].answers[1:]
	f.moved()
	return f.whole(size)
}

// ready handles a synchronization point. The first one is the end of the authentication.
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

// refusal handles an error from the server, which can arrive at any time.
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
