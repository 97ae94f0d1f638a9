package pgsource_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/internal/pgtest/rogueserver"
	"github.com/gorewind/gorewind/internal/pgtest/servers"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/source/pgsource"
)

// The queries that a source gets, identified by a part of their text.
const (
	askedWho       = "server_version_num"
	askedState     = "full_page_writes"
	askedFiles     = "pg_catalog.pg_stat_file(dir"
	askedHashes    = "sha256("
	askedPieces    = "fetch\x00SELECT"
	askedSlots     = "pg_replication_slots ORDER"
	askedDatabases = "datallowconn"
	askedRelations = "pg_filenode_relation"
)

var (
	notice    = rogueserver.Bytes(&pgproto3.NoticeResponse{Severity: "NOTICE", Message: strings.Repeat("x", 100)})
	notify    = rogueserver.Bytes(&pgproto3.NotificationResponse{PID: 1, Channel: "c", Payload: strings.Repeat("x", 4000)})
	bigError  = append(rogueserver.Header('E', 60<<20), "SERROR\x00C22000\x00M"...)
	aParam    = rogueserver.Bytes(&pgproto3.ParameterStatus{Name: "n", Value: "v"})
	errorLine = rogueserver.Bytes(&pgproto3.ErrorResponse{Severity: "ERROR", Code: "XX000", Message: "no"})
)

// forever sends the same for ever.
func forever(b []byte) func(v *rogueserver.Victim) bool {
	return func(v *rogueserver.Victim) bool { return v.Forever(b) }
}

// first sends something before it goes on.
func first(b []byte) func(v *rogueserver.Victim) bool {
	return func(v *rogueserver.Victim) bool { return v.Raw(b) && v.Raw(v.Message) }
}

// again sends the message at which it begins for ever.
func again(v *rogueserver.Victim) bool { return v.Forever(v.Message) }

// huge says that it is 900 MB long, and sends zeros.
func huge(kind byte) func(v *rogueserver.Victim) bool {
	return func(v *rogueserver.Victim) bool {
		return v.Raw(rogueserver.Header(kind, 900<<20)) && v.Forever(make([]byte, 1<<16))
	}
}

// numbered sends other bytes each time, for ever.
func numbered(message func(n int) []byte) func(v *rogueserver.Victim) bool {
	return func(v *rogueserver.Victim) bool {
		for n := 0; ; {
			var b []byte
			for len(b) < 1<<16 {
				b = append(b, message(n)...)
				n++
			}
			if !v.Raw(b) {
				return false
			}
		}
	}
}

// scram begins an authentication that asks for many iterations.
func scram(iterations int) func(v *rogueserver.Victim) bool {
	return func(v *rogueserver.Victim) bool {
		v.Take()
		v.Send(&pgproto3.AuthenticationSASL{AuthMechanisms: []string{"SCRAM-SHA-256"}})
		said := string(<-v.Asked)
		nonce := said[strings.LastIndex(said, "r=")+2:]
		v.Send(&pgproto3.AuthenticationSASLContinue{Data: fmt.Appendf(nil, "r=%sx,s=c2FsdA==,i=%d", nonce, iterations)})
		return v.Wait()
	}
}

// attacks are attacks by a source, each with the error that it must cause.
var attacks = []struct {
	name string
	rogueserver.Attack
	want        string // in the error
	unavailable bool   // it is tried again, and given up after the timeout
}{
	// While it is connected to.
	{"requests to authenticate for ever", rogueserver.Attack{Kind: 'R', Do: forever(rogueserver.Bytes(&pgproto3.AuthenticationMD5Password{}))}, "more than 8 requests to authenticate", false},
	{"a password is to be hashed ten million times", rogueserver.Attack{Kind: 'R', Do: scram(10_000_000)}, "hash the password 10000000 times, and more than 1000000 are not done (scram_iterations)", false},
	{"SCRAM again and again", rogueserver.Attack{Kind: 'R', Do: func(v *rogueserver.Victim) bool {
		v.Take()
		return v.Forever(rogueserver.Bytes(&pgproto3.AuthenticationSASL{AuthMechanisms: []string{"SCRAM-SHA-256"}}))
	}}, "the same request to authenticate twice", false},
	{"notices before anything was asked", rogueserver.Attack{Kind: 'Z', Nth: 0, Do: forever(notice)}, "messages with", false},
	{"parameters for ever", rogueserver.Attack{Kind: 'K', Do: numbered(func(n int) []byte {
		return rogueserver.Bytes(&pgproto3.ParameterStatus{Name: fmt.Sprint(n), Value: "v"})
	})}, "257 messages", false},
	{"a huge message in answer to the greeting", rogueserver.Attack{Kind: 'R', Do: huge('R')}, "a length of 943718400 bytes", false},
	{"a length that cannot be", rogueserver.Attack{Kind: 'R', Do: first([]byte{'R', 0xff, 0xff, 0xff, 0xff})}, `kind 'R' with a length of -5 bytes`, false},
	{"what is no message at all", rogueserver.Attack{Kind: 'R', Do: first([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))}, `kind 'H', which has no place there`, false},
	{"a parameter byte by byte", rogueserver.Attack{Kind: 'K', Do: func(v *rogueserver.Victim) bool { return v.Drip(rogueserver.Header('S', 60000), 20*time.Millisecond) }}, "nothing came from the server for ", true},

	// While it identifies itself.
	{"functions that the role lacks, without end", rogueserver.Attack{SQL: askedWho, Kind: 'D', Do: forever(rogueserver.Row([]byte("f")))}, "more rows than it was asked for", false},
	{"a setting of 60 MB", rogueserver.Attack{SQL: askedWho, Kind: 'D', Do: huge('D')}, "a row of 943718400 bytes where one of at most 1024 was asked for", false},
	{"synchronization points without answers", rogueserver.Attack{SQL: askedWho, Kind: 'C', Do: forever(rogueserver.Bytes(&pgproto3.ReadyForQuery{TxStatus: 'I'}))}, "a synchronization point instead of", false},

	// While it is asked for its state.
	{"notices for ever", rogueserver.Attack{SQL: askedState, Do: forever(notice)}, "messages with", false},
	{"notifications for ever", rogueserver.Attack{SQL: askedState, Do: forever(notify)}, "messages with", false},
	{"parameters that change for ever", rogueserver.Attack{SQL: askedState, Do: forever(aParam)}, "257 messages", false},
	{"an error of 60 MB", rogueserver.Attack{SQL: askedState, Do: func(v *rogueserver.Victim) bool { return v.Raw(bigError) && v.Forever([]byte("xxxx")) }}, "kind 'E' with a length of 62914560 bytes", false},
	{"errors for ever", rogueserver.Attack{SQL: askedState, Do: forever(errorLine)}, "no (SQLSTATE XX000)", false},
	{"the same description for ever", rogueserver.Attack{SQL: askedState, Kind: 'T', Do: again}, "messages with", false},
	{"the same row twice", rogueserver.Attack{SQL: askedState, Kind: 'D', Do: func(v *rogueserver.Victim) bool { return v.Raw(v.Message) && first(v.Message)(v) }}, "more rows than it was asked for", false},
	{"an end that nobody asked for", rogueserver.Attack{SQL: askedState, Kind: 'C', Do: again}, "the end of an answer that it was not asked for", false},
	{"synchronization for ever", rogueserver.Attack{SQL: askedState, Kind: 'Z', Do: again}, "a synchronization point", false},
	{"COPY instead of rows", rogueserver.Attack{SQL: askedState, Kind: 'T', Do: forever(rogueserver.Bytes(&pgproto3.CopyOutResponse{}, &pgproto3.CopyData{Data: make([]byte, 1000)}))}, `kind 'H', which has no place there`, false},
	{"authentication once more", rogueserver.Attack{SQL: askedState, Kind: 'T', Do: forever(rogueserver.Bytes(&pgproto3.AuthenticationOk{}))}, `kind 'R', which has no place there`, false},
	{"a number that takes for ever to understand", rogueserver.Attack{SQL: askedState, Kind: 'T', Do: first(rogueserver.Bytes(&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("x"), DataTypeOID: pgtype.NumericOID}}}))}, "a column of the type 1700", false},
	{"a control file of 900 MB", rogueserver.Attack{SQL: askedState, Kind: 'D', Do: huge('D')}, "a row of 943718400 bytes", false},
	{"silence", rogueserver.Attack{SQL: askedState, Kind: 'D', Do: (*rogueserver.Victim).Wait}, "the source did not answer for", true},
	{"a row byte by byte", rogueserver.Attack{SQL: askedState, Kind: 'D', Do: func(v *rogueserver.Victim) bool { return v.Drip(v.Message, 20*time.Millisecond) }}, "the source did not answer for", true},
	{"a notice now and then", rogueserver.Attack{SQL: askedState, Kind: 'D', Do: func(v *rogueserver.Victim) bool {
		for v.Raw(notice) {
			time.Sleep(10 * time.Millisecond)
		}
		return false
	}}, "", true},
	{"the connection is cut whenever it is asked", rogueserver.Attack{SQL: askedState, Do: func(*rogueserver.Victim) bool { return false }}, "the source did not answer for", true},
	{"an error with escapes for a terminal", rogueserver.Attack{SQL: askedState, Kind: 'T', Do: first(rogueserver.Bytes(&pgproto3.ErrorResponse{Severity: "ERROR", Code: "XX000", Message: "\x1b[2J\r" + strings.Repeat("\u202e", 9999)}))}, `\x1b[2J`, false},

	// While its files are listed.
	{"a listing without end", rogueserver.Attack{SQL: askedFiles, Kind: 'D', Do: numbered(func(n int) []byte {
		return rogueserver.Row([]byte("1"), fmt.Append(nil, "d", n), []byte("0"), []byte("t"), nil)
	})}, "a list of 262144 directories and more", false},
	{"directories in directories for ever", rogueserver.Attack{SQL: askedFiles, Kind: 'C', Do: first(rogueserver.Row([]byte("1"), bytes.Repeat([]byte("d"), 255), []byte("0"), []byte("t"), nil))}, "a list of files that is invalid", false},
	{"the same file for ever", rogueserver.Attack{SQL: askedFiles, Kind: 'D', Do: forever(rogueserver.Row([]byte("1"), []byte("x"), []byte("0"), []byte("f"), nil))}, errManyFiles.Error(), false},
	{"a name of 60 MB", rogueserver.Attack{SQL: askedFiles, Kind: 'D', Do: huge('D')}, "a row of 943718400 bytes", false},
	{"a name with a slash", rogueserver.Attack{SQL: askedFiles, Kind: 'D', Do: first(rogueserver.Row([]byte("1"), []byte("a/b"), []byte("0"), []byte("f"), nil))}, "a list of files that is invalid", false},
	{"a name of 300 bytes", rogueserver.Attack{SQL: askedFiles, Kind: 'D', Do: first(rogueserver.Row([]byte("1"), bytes.Repeat([]byte("x"), 300), []byte("0"), []byte("f"), nil))}, "a list of files that is invalid", false},
	{"a file of a directory that was not asked for", rogueserver.Attack{SQL: askedFiles, Kind: 'D', Do: first(rogueserver.Row([]byte("99"), []byte("x"), []byte("0"), []byte("f"), nil))}, "a list of files that is invalid", false},
	{"the same 300 files, and the connection is cut", rogueserver.Attack{SQL: askedFiles, Kind: 'D', Do: func(v *rogueserver.Victim) bool {
		v.Raw(bytes.Repeat(rogueserver.Row([]byte("1"), []byte("x"), []byte("0"), []byte("f"), nil), 300))
		time.Sleep(20 * time.Millisecond) // for all of it to arrive
		return false
	}}, "the source did not answer for", true},

	// While it computes hashes, and sends pieces of files.
	{"more hashes than files", rogueserver.Attack{SQL: askedHashes, Kind: 'D', Do: again}, "hashes that it was not asked for", false},
	{"hashes that are long", rogueserver.Attack{SQL: askedHashes, Kind: 'D', Do: huge('D')}, "a row of 943718400 bytes", false},
	{"pieces of 900 MB", rogueserver.Attack{SQL: askedPieces, Kind: 'D', Do: huge('D')}, "a row of 943718400 bytes", false},
	{"the same piece for ever", rogueserver.Attack{SQL: askedPieces, Kind: 'D', Do: again}, "in another order than asked for", false},
	{"pieces without end", rogueserver.Attack{SQL: askedPieces, Kind: 'D', Do: numbered(func(n int) []byte {
		return rogueserver.Row(binary.BigEndian.AppendUint64(nil, uint64(n+1)), []byte("x"))
	})}, "more rows than it was asked for", false},
	{"a piece byte by byte", rogueserver.Attack{SQL: askedPieces, Kind: 'D', Do: func(v *rogueserver.Victim) bool { return v.Drip(v.Message, 20*time.Millisecond) }}, "the source did not answer for", true},
	{"notices between pieces", rogueserver.Attack{SQL: askedPieces, Kind: 'D', Do: forever(notice)}, "messages with", false},

	{"silence instead of a slot", rogueserver.Attack{SQL: "pg_create_physical_replication_slot", Kind: 'D', Do: (*rogueserver.Victim).Wait}, "nothing came from the server for ", false},

	// While names are requested.
	{"slots without end", rogueserver.Attack{SQL: askedSlots, Kind: 'C', Do: forever(rogueserver.Row([]byte("s"), []byte("t"), []byte("t"), []byte("0/0")))}, "more rows than it was asked for", false},
	{"slots of another shape", rogueserver.Attack{SQL: askedSlots, Kind: 'C', Do: forever(rogueserver.Row([]byte("s")))}, "a row that cannot be understood", false},
	{"databases with names that are long", rogueserver.Attack{SQL: askedDatabases, Kind: 'D', Do: numbered(func(n int) []byte {
		return rogueserver.Row(fmt.Append(nil, n), bytes.Repeat([]byte("x"), 900), []byte("x"), []byte("t"))
	})}, "more bytes than it was asked for", false},
}

// manyFiles is how many files ask has patience with, as a rewind has with some more
// than the target's.
const manyFiles = 1_000_000

var errManyFiles = errors.New("it lists more files than there can be")

// torture has the tests of this package do more: see make torture.
var torture, _ = strconv.Atoi(os.Getenv("GOREWIND_TORTURE"))

// ask asks everything that a rewind asks, up to the first error.
func ask(ctx context.Context, s *pgsource.Server) error {
	if _, err := s.State(ctx); err != nil {
		return err
	}
	var asked []source.Range
	files := 0
	for f, err := range s.Files(ctx) {
		if err != nil {
			return err
		}
		if files++; files > manyFiles {
			return errManyFiles
		}
		if f.Type == pgdata.Regular && f.Size > 0 && len(asked) < 1000 && strings.HasPrefix(f.Path, "base/1/") {
			asked = append(asked, source.Range{Path: f.Path, Length: min(f.Size, source.MaxHash)})
		}
	}
	err := s.Hash(ctx, ranges(asked...), func(source.Range, []byte) error { return nil })
	if err == nil {
		err = s.Fetch(ctx, ranges(asked...), sinkFunc(func(string) error { return nil }))
	}
	if err == nil {
		_, err = s.Slots(ctx)
	}
	if err == nil {
		_, err = s.DatabaseNames(ctx)
	}
	if err == nil {
		_, err = s.TablespaceNames(ctx)
	}
	if err == nil {
		_, err = s.RelationNames(ctx, []pgdata.RelFileLocator{{Tablespace: 1664, Relation: 1262}, {Tablespace: 1663, Database: 1, Relation: 1259}})
	}
	if err == nil {
		var release func() error
		if _, release, err = s.HoldWAL(ctx); err == nil {
			err = release()
		}
	}
	return err
}

// attacked asks a server in whose name somebody else answers, and gives the error.
func attacked(t *testing.T, c *pgtest.Cluster, a rogueserver.Attack, opts pgsource.Options) (began int, _ error) {
	t.Helper()
	r, err := rogueserver.Start(fmt.Sprintf("127.0.0.1:%d", c.Port()), a)
	require.NoError(t, err)
	defer r.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // for a test that would not end
	defer cancel()
	s, err := pgsource.Open(ctx, fmt.Sprintf("host=127.0.0.1 port=%d user=postgres password=x dbname=postgres sslmode=disable", r.Port()), opts)
	if err == nil {
		err = ask(ctx, s)
		assert.NoError(t, s.Close())
	}
	assert.NoError(t, ctx.Err(), "it took too long: %v", err)
	return r.Began(), err
}

// memoryOf is how many bytes more than before a function has the program take at most.
func memoryOf(fn func()) uint64 {
	debug.FreeOSMemory()
	taken := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse
	}
	before, most := taken(), uint64(0)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			most = max(most, taken())
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	fn()
	close(stop)
	<-stopped
	return max(most, before) - before
}

// mostMemory is what an attack may cost, what is not yet collected included; gorewind as a
// whole has to do with 300 MB.
const mostMemory = 200 << 20

func TestASourceThatAttacks(t *testing.T) {
	in, err := servers.Major(t.Context(), "18")
	if err != nil {
		t.Skip(err)
	}
	c := in.InitCluster(t, pgtest.Options{TCP: true})
	c.Start(t)
	_, err = attacked(t, c, rogueserver.Attack{}, pgsource.Options{Jobs: 1})
	require.NoError(t, err, "without an attack")
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			opts := pgsource.Options{Jobs: 1, Timeout: 12 * time.Second} // where silence does not matter, it waits for half of that
			if a.unavailable {
				opts.Timeout = time.Second
			}
			var began int
			used := memoryOf(func() { began, err = attacked(t, c, a.Attack, opts) })
			require.NotZero(t, began, "it did not come to the attack: %v", err)
			require.Error(t, err)
			assert.Contains(t, err.Error(), a.want)
			assert.NotContains(t, err.Error(), "\x1b")
			assert.Less(t, len(err.Error()), 2000)
			assert.Equal(t, a.unavailable, errors.Is(err, source.ErrUnavailable), "%v", err)
			assert.Less(t, used, uint64(mostMemory))
		})
	}
}

// TestAnAnswerThatEndsInItsMiddle: a description of rows that never come, and the end of
// all answers. Whoever would read on is told at once, and waits for nothing.
func TestAnAnswerThatEndsInItsMiddle(t *testing.T) {
	in, err := servers.Major(t.Context(), "18")
	if err != nil {
		t.Skip(err)
	}
	c := in.InitCluster(t, pgtest.Options{TCP: true})
	c.Start(t)
	rows := rogueserver.Bytes(&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("x"), DataTypeOID: pgtype.ByteaOID, Format: 1}}})
	began, _ := attacked(t, c, rogueserver.Attack{SQL: "ROLLBACK", Kind: 'Z', Do: first(rows)}, pgsource.Options{Jobs: 1, Timeout: time.Minute})
	assert.NotZero(t, began)

	r, err := rogueserver.Start(fmt.Sprintf("127.0.0.1:%d", c.Port()), rogueserver.Attack{SQL: "SHOW transaction_read_only", Kind: 'Z', Do: first(rows)})
	require.NoError(t, err)
	defer r.Close()
	_, err = pgsource.Open(t.Context(), fmt.Sprintf("host=127.0.0.1 port=%d user=postgres dbname=postgres sslmode=disable target_session_attrs=read-write", r.Port()),
		pgsource.Options{Timeout: time.Minute})
	require.ErrorIs(t, err, source.ErrUntrusted)
	assert.ErrorContains(t, err, "a synchronization point in the middle of an answer")
}

// TestAServerThatDoesNotSayWhichKindItIs answers the question of target_session_attrs
// with nothing, in all ways of asking.
func TestAServerThatDoesNotSayWhichKindItIs(t *testing.T) {
	in, err := servers.Major(t.Context(), "18")
	if err != nil {
		t.Skip(err)
	}
	c := in.InitCluster(t, pgtest.Options{TCP: true})
	c.Start(t)
	ready := &pgproto3.ReadyForQuery{TxStatus: 'I'}
	one := &pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("x"), DataTypeOID: pgtype.TextOID}}}
	none := &pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{}}
	done := &pgproto3.CommandComplete{CommandTag: []byte("SHOW")}
	for what, answer := range map[string][]pgproto3.BackendMessage{
		"nothing":              {ready},
		"an empty query":       {&pgproto3.EmptyQueryResponse{}, ready},
		"no rows":              {one, done, ready},
		"a row of no columns":  {none, &pgproto3.DataRow{}, done, ready},
		"a row that is a NULL": {one, &pgproto3.DataRow{Values: [][]byte{nil}}, done, ready},
	} {
		for attrs, sql := range map[string]string{
			"read-write": "transaction_read_only", "read-only": "transaction_read_only",
			"primary": "pg_is_in_recovery", "standby": "pg_is_in_recovery", "prefer-standby": "pg_is_in_recovery",
		} {
			t.Run(what+" for "+attrs, func(t *testing.T) {
				r, err := rogueserver.Start(fmt.Sprintf("127.0.0.1:%d", c.Port()), rogueserver.Attack{SQL: sql, Do: func(v *rogueserver.Victim) bool { return v.Send(answer...) && v.Wait() }})
				require.NoError(t, err)
				defer r.Close()
				said := fmt.Sprintf("host=127.0.0.1 port=%d user=postgres dbname=postgres sslmode=disable target_session_attrs=%s", r.Port(), attrs)
				config, err := pgconn.ParseConfig(said)
				require.NoError(t, err)
				for by, open := range map[string]func() (*pgsource.Server, error){
					"Open": func() (*pgsource.Server, error) {
						return pgsource.Open(t.Context(), said, pgsource.Options{Timeout: time.Minute})
					},
					"OpenConfig": func() (*pgsource.Server, error) {
						return pgsource.OpenConfig(t.Context(), config, pgsource.Options{Timeout: time.Minute})
					},
				} {
					s, err := open()
					if err == nil {
						require.NoError(t, s.Close())
					}
					assert.NotZero(t, r.Began(), by)
					if what != "a row that is a NULL" || attrs != "prefer-standby" { // which is content with any server
						assert.Error(t, err, by)
					}
				}
			})
		}
	}
}
