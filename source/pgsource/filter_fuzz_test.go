package pgsource

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/gorewind/gorewind/source"
)

func encoded(messages ...pgproto3.BackendMessage) []byte {
	var b []byte
	for _, m := range messages {
		b, _ = m.Encode(b)
	}
	return b
}

// greeting is what a server sends to a trusted client.
var greeting = encoded(
	&pgproto3.AuthenticationOk{}, &pgproto3.ParameterStatus{Name: "server_version", Value: "18.0"},
	&pgproto3.ParameterStatus{Name: "server_encoding", Value: "UTF8"},
	&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{1, 2, 3, 4}}, &pgproto3.ReadyForQuery{TxStatus: 'I'},
)

// rowOf answers a question with a row of text.
func rowOf(types []uint32, values ...string) []byte {
	row := &pgproto3.DataRow{}
	d := &pgproto3.RowDescription{}
	for i, v := range values {
		d.Fields = append(d.Fields, pgproto3.FieldDescription{Name: []byte("c"), DataTypeOID: types[i]})
		row.Values = append(row.Values, []byte(v))
	}
	return encoded(&pgproto3.ParseComplete{}, &pgproto3.BindComplete{}, d, row, &pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")})
}

var (
	ready   = encoded(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	refused = encoded(&pgproto3.ErrorResponse{Severity: "ERROR", Code: "42501", Message: "permission denied\x1b[2J"})
)

// whoItIs answers the queries on a new session.
var whoItIs = bytes.Join([][]byte{
	rowOf([]uint32{pgtype.TextOID}, ""),
	rowOf([]uint32{pgtype.TextOID}, "on"),
	rowOf([]uint32{pgtype.Int4OID, pgtype.TextOID, pgtype.BoolOID}, "180000", "postgres", "t"),
	encoded(&pgproto3.ParseComplete{}, &pgproto3.BindComplete{}, &pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("f"), DataTypeOID: pgtype.TextOID}}}, &pgproto3.CommandComplete{CommandTag: []byte("SELECT 0")}),
	rowOf([]uint32{pgtype.BoolOID, pgtype.TextOID, pgtype.ByteaOID, pgtype.Float8OID, pgtype.Int4OID}, "f", "00000001", `\x0102030405060708`, "1", "10"),
	ready,
}, nil)

// aFile answers the question for files.
var aFile = append(rowOf([]uint32{pgtype.Int8OID, pgtype.TextOID, pgtype.Int8OID, pgtype.BoolOID, pgtype.TextOID}, "1", "base", "10", "t", ""), ready...)

// aPiece answers the question for pieces of files, as a pipeline prepares and asks it.
var aPiece = encoded(
	&pgproto3.ParseComplete{}, &pgproto3.ParameterDescription{ParameterOIDs: fetchTypes},
	&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("i"), DataTypeOID: pgtype.Int8OID}, {Name: []byte("b"), DataTypeOID: pgtype.ByteaOID}}},
	&pgproto3.BindComplete{},
	&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("i"), DataTypeOID: pgtype.Int8OID, Format: 1}, {Name: []byte("b"), DataTypeOID: pgtype.ByteaOID, Format: 1}}},
	&pgproto3.DataRow{Values: [][]byte{{0, 0, 0, 0, 0, 0, 0, 1}, []byte("abc")}},
	&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")}, &pgproto3.ReadyForQuery{TxStatus: 'I'},
)

// FuzzFilter is about what passes: no more rows than asked for, nothing that is longer
// than it may be, and no end of messages.
func FuzzFilter(f *testing.F) {
	f.Add(true, greeting)
	f.Add(false, aFile)
	f.Add(false, append(refused, ready...))
	f.Add(false, bytes.Repeat(encoded(&pgproto3.NoticeResponse{Message: "x"}), 1000))
	f.Add(false, []byte("D\x7f\xff\xff\xff"))
	f.Add(true, encoded(&pgproto3.AuthenticationSASLContinue{Data: []byte("r=x,s=y,i=99999999")}))
	f.Fuzz(func(t *testing.T, authenticating bool, sent []byte) {
		g := newFilter(bytes.NewReader(sent), new(watchdog))
		g.authenticating = authenticating
		asked := answer{rows: 5, width: 300, bytes: 1000}
		if !authenticating {
			g.ask(asked, oneRow)
		}
		frontend := pgproto3.NewFrontend(g, io.Discard)
		rows, size := 0, 0
		for n := 0; ; n++ {
			m, err := frontend.Receive()
			if err != nil {
				break
			}
			if n > 2*maxAsides+maxRounds+10*asked.rows {
				t.Fatalf("%d messages passed", n)
			}
			switch m := m.(type) {
			case *pgproto3.DataRow:
				rows++
				for _, v := range m.Values {
					size += len(v)
				}
			case *pgproto3.ErrorResponse:
				if len(m.Message) > maxErrorText || strings.ContainsAny(m.Message, "\x1b\r\n") {
					t.Fatalf("an error says %q", m.Message)
				}
			case *pgproto3.NoticeResponse, *pgproto3.NotificationResponse:
				t.Fatalf("a %T passed", m)
			}
		}
		if rows > asked.rows+oneRow.rows || size > int(asked.bytes)+oneRow.width {
			t.Fatalf("%d rows with %d bytes passed", rows, size)
		}
	})
}

// script is a server that sends the same to every client, whatever the query.
type script struct {
	net.Conn
	sent io.Reader
}

func (s *script) Read(b []byte) (int, error)       { return s.sent.Read(b) }
func (s *script) Write(b []byte) (int, error)      { return len(b), nil }
func (s *script) Close() error                     { return nil }
func (s *script) SetDeadline(time.Time) error      { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }
func (s *script) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

type nowhere struct{}

func (nowhere) WriteAt(string, []byte, int64) error { return nil }
func (nowhere) Vanished(string) error               { return nil }

// FuzzSession is about all that is asked of a server that answers anything.
func FuzzSession(f *testing.F) {
	opened := append(append([]byte{}, greeting...), whoItIs...)
	f.Add(uint8(0), []byte{}, []byte{})
	f.Add(uint8(0), opened, append(append([]byte{}, refused...), ready...))
	f.Add(uint8(1), opened, aFile)
	f.Add(uint8(1), opened, append(append([]byte{}, aFile...), aFile...))
	f.Add(uint8(2), opened, aPiece)
	f.Add(uint8(3), opened, append(rowOf([]uint32{pgtype.Int8OID, pgtype.ByteaOID}, "1", `\x00`), ready...))
	f.Add(uint8(4), opened, append(rowOf([]uint32{pgtype.TextOID, pgtype.BoolOID, pgtype.BoolOID}, "s", "t", "f"), ready...))
	f.Add(uint8(5), opened, append(rowOf([]uint32{pgtype.OIDOID, pgtype.TextOID}, "1", "x"), ready...))
	f.Fuzz(func(t *testing.T, what uint8, opening, answers []byte) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		dialled := false
		opts := Options{Timeout: 10 * time.Millisecond, Jobs: 1, Logger: slog.New(slog.DiscardHandler), DialFunc: func(context.Context, string, string) (net.Conn, error) {
			if dialled {
				return nil, io.EOF
			}
			dialled = true
			return &script{sent: io.MultiReader(bytes.NewReader(opening), bytes.NewReader(answers))}, nil
		}}
		s, err := Open(ctx, "host=127.0.0.1 user=u password=p dbname=d sslmode=disable", opts)
		if err != nil {
			return
		}
		defer s.Close()
		asked := source.Range{Path: "base", Length: 10}
		one := func(yield func(source.Range) bool) { yield(asked) }
		switch what % 6 {
		case 0:
			_, err = s.State(ctx)
		case 1:
			for f, lerr := range s.Files(ctx) {
				if lerr == nil && (f.Path == "" || len(f.Path) > maxPath || f.Size < 0) {
					t.Fatalf("%+v was listed", f)
				}
			}
		case 2:
			err = s.Fetch(ctx, one, nowhere{})
		case 3:
			err = s.Hash(ctx, one, func(source.Range, []byte) error { return nil })
		case 4:
			_, err = s.Slots(ctx)
		case 5:
			_, err = s.TablespaceNames(ctx)
		}
		if ctx.Err() != nil {
			t.Fatalf("it did not end: %v", err)
		}
	})
}

// FuzzListing is about a row of a listing.
func FuzzListing(f *testing.F) {
	f.Add([]byte("1"), []byte("base"), []byte("10"), []byte("t"), []byte(nil))
	f.Add([]byte("2"), []byte("16384"), []byte("10"), []byte("t"), []byte("/mnt/x"))
	f.Add([]byte("0"), []byte("a/b"), []byte("-1"), []byte(""), []byte("rel"))
	dirs := []directory{{shares: 1}, {path: "pg_tblspc", shares: 1}, {path: strings.Repeat("d", maxPath-10), shares: 1}}
	f.Fuzz(func(t *testing.T, i, name, size, isDir, location []byte) {
		file, itself, err := file(dirs, [][]byte{i, name, size, isDir, location})
		if err != nil {
			return
		}
		dir, last := "", file.Path
		if cut := strings.LastIndexByte(file.Path, '/'); cut >= 0 {
			dir, last = file.Path[:cut], file.Path[cut+1:]
		}
		if dir != dirs[0].path && dir != dirs[1].path && dir != dirs[2].path || last != string(name) {
			t.Fatalf("%q became %q", name, file.Path)
		}
		if len(file.Path) > maxPath || len(last) > maxFileName || file.Size < 0 || itself < 0 {
			t.Fatalf("%+v", file)
		}
	})
}
