package rewind_test

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/rewind"
)

// TestAnOwnSegmentIsJudgedByWhatRecoveryReads takes a target whose WAL has a record
// of several segments: it starts in segment 11, and 12 and 13 are within it.
func TestAnOwnSegmentIsJudgedByWhatRecoveryReads(t *testing.T) {
	newer := func(b []byte) []byte { binary.LittleEndian.PutUint32(b[4:], 2); return b }
	moved := func(b []byte) []byte { b[10] ^= 1; return b }
	inside := func(b []byte) []byte { b[0x60+30] ^= 1; return b }
	const first, second, third = "00000001000000000000000B", "00000001000000000000000C", "00000001000000000000000D"
	for _, c := range []struct {
		name     string
		spoilt   string
		spoil    func([]byte) []byte
		from, s  pgdata.SegNo
		suspects []string
		good     bool
	}{
		{"whole", "", nil, 11, 12, nil, true},
		{"of a newer timeline than its name says", second, newer, 11, 12, nil, false},
		{"behind one that is not of its place", first, moved, 11, 12, nil, false},
		{"behind one that recovery does not read", first, moved, 12, 12, nil, true},
		{"before one that is not of its place", third, moved, 11, 12, nil, false},
		{"before one that is written again", third, moved, 11, 12, []string{"pg_wal/" + third}, true},
		{"damaged, before recovery starts", first, inside, 12, 11, nil, true}, // the first page is right
		{"damaged, where recovery starts", first, inside, 11, 11, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := restorePair(t, "14", "contrecord")
			r, err := rewind.Prepare(t.Context(), rewind.Options{TargetDir: p.target, Source: openDir(t, p.source)})
			require.NoError(t, err)
			defer r.Close()
			if c.spoilt != "" {
				p.change(p.wal(p.target, c.spoilt), c.spoil)
			}
			assert.Equal(t, c.good, r.OwnIsGood(t.Context(), c.from, c.s, c.suspects...))
		})
	}
}
