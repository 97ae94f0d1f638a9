package pgsource_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/internal/pgtest/rogueserver"
	"github.com/gorewind/gorewind/internal/pgtest/servers"
	"github.com/gorewind/gorewind/source/pgsource"
)

// anywhere are attacks that can begin at any message. Some of them do no harm.
var anywhere = []struct {
	name string
	do   func(v *rogueserver.Victim) bool
}{
	{"cut", func(*rogueserver.Victim) bool { return false }},
	{"silence", (*rogueserver.Victim).Wait},
	{"byte by byte", func(v *rogueserver.Victim) bool { return v.Drip(v.Message, 20*time.Millisecond) }},
	{"left out", func(*rogueserver.Victim) bool { return true }},
	{"twice", func(v *rogueserver.Victim) bool { return v.Raw(v.Message) && first(v.Message)(v) }},
	{"for ever", again},
	{"cut off", func(v *rogueserver.Victim) bool { return v.Raw(v.Message[:len(v.Message)-1]) && false }},
	{"longer than it is", func(v *rogueserver.Victim) bool { return huge(v.Message[0])(v) }},
	{"without a length", func(v *rogueserver.Victim) bool { return v.Raw([]byte{v.Message[0], 0, 0, 0, 0}) }},
	{"without a body", func(v *rogueserver.Victim) bool { return v.Raw([]byte{v.Message[0], 0, 0, 0, 4}) }},
	{"of zeros", func(v *rogueserver.Victim) bool { clear(v.Message[5:]); return v.Raw(v.Message) }},
	{"of ones", func(v *rogueserver.Victim) bool {
		return v.Raw(append(v.Message[:5:5], bytes.Repeat([]byte{0xff}, len(v.Message)-5)...))
	}},
	{"of another kind", func(v *rogueserver.Victim) bool { v.Message[0] ^= 'D' ^ 'C'; return v.Raw(v.Message) }},
	{"a notice before it", first(notice)},
	{"notices", forever(notice)},
	{"notifications", forever(notify)},
	{"parameters", forever(aParam)},
	{"an error before it", first(errorLine)},
	{"errors", forever(errorLine)},
	{"a long error", first(rogueserver.Bytes(&pgproto3.ErrorResponse{Severity: "ERROR", Code: "57P01", Message: string(make([]byte, 900_000))}))},
	{"COPY", forever(rogueserver.Bytes(&pgproto3.CopyOutResponse{}, &pgproto3.CopyData{Data: []byte("x")}))},
	{"empty rows", forever(rogueserver.Row())},
	{"rows of nulls", forever(rogueserver.Row(nil, nil, nil, nil, nil))},
	{"long rows", forever(rogueserver.Row(make([]byte, 1000), make([]byte, 1000)))},
	{"ends of answers", forever(rogueserver.Bytes(&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")}))},
	{"ready", forever(rogueserver.Bytes(&pgproto3.ReadyForQuery{TxStatus: 'I'}))},
	{"another description", first(rogueserver.Bytes(&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("x"), DataTypeOID: pgtype.ByteaOID, Format: 1}}}))},
	{"parsed", forever(rogueserver.Bytes(&pgproto3.ParseComplete{}, &pgproto3.BindComplete{}))},
	{"authentication", forever(rogueserver.Bytes(&pgproto3.AuthenticationCleartextPassword{}))},
	{"no protocol", func(v *rogueserver.Victim) bool { return v.Forever([]byte("HTTP/1.1 200 OK\r\n\r\n")) }},
}

// TestASourceThatAttacksAtAnyMessage tries a sample of that, with several clients at a
// time; make torture tries all of it.
func TestASourceThatAttacksAtAnyMessage(t *testing.T) {
	in, err := servers.Major(t.Context(), "18")
	if err != nil {
		t.Skip(err)
	}
	seed, err := strconv.ParseUint(os.Getenv("GOREWIND_TEST_SEED"), 10, 64)
	if err != nil {
		seed = rand.Uint64()
	}
	t.Logf("GOREWIND_TEST_SEED=%d", seed)
	c := in.InitCluster(t, pgtest.Options{TCP: true})
	c.Start(t)
	r, err := rogueserver.Start(fmt.Sprintf("127.0.0.1:%d", c.Port()), rogueserver.Attack{})
	require.NoError(t, err)
	s := open(t, fmt.Sprintf("host=127.0.0.1 port=%d user=postgres password=x dbname=postgres sslmode=disable", r.Port()), pgsource.Options{Jobs: 1})
	require.NoError(t, ask(t.Context(), s))
	messages := r.Messages()
	r.Close()
	require.Greater(t, messages, 100)

	type try struct{ nth, which int }
	var tries []try
	for nth := 1; nth <= messages; nth++ {
		// Most are rows of a listing, and one is like the other.
		if nth > 60 && nth < messages-60 && nth%(messages/30) != 0 {
			continue
		}
		for which := range anywhere {
			tries = append(tries, try{nth, which})
		}
	}
	if torture == 0 {
		rand.New(rand.NewPCG(seed, 0)).Shuffle(len(tries), func(i, j int) { tries[i], tries[j] = tries[j], tries[i] })
		tries = tries[:60]
	}
	var began, refused atomic.Int64
	used := memoryOf(func() {
		var all sync.WaitGroup
		slots := make(chan struct{}, 8)
		for _, k := range tries {
			slots <- struct{}{}
			all.Go(func() {
				defer func() { <-slots }()
				a := anywhere[k.which]
				n, err := attacked(t, c, rogueserver.Attack{Nth: k.nth, Do: a.do}, pgsource.Options{Jobs: 1, Timeout: time.Second})
				began.Add(int64(n))
				if err != nil {
					refused.Add(1)
					assert.Less(t, len(err.Error()), 3000, "%s at message %d", a.name, k.nth)
					assert.NotContains(t, err.Error(), "\x00", "%s at message %d", a.name, k.nth)
				}
			})
		}
		all.Wait()
	})
	pgtest.Note(fmt.Sprintf("attacks of a source: %d tried at %d messages, %d begun, %d led to errors, %d MB", len(tries), messages, began.Load(), refused.Load(), used>>20))
	assert.Greater(t, began.Load(), int64(len(tries)/2))
	assert.Less(t, used, uint64(300<<20))
}
