package xidset

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestASetYieldsWhatIsInIt(t *testing.T) {
	want := []uint32{0, 3, 63, 64, 4095, 4096, 1<<32 - 1}
	s := Set{}
	for _, xid := range want {
		s.Add(xid)
		assert.True(t, s.Has(xid))
	}
	assert.False(t, s.Has(1))
	assert.Equal(t, want, slices.Sorted(s.All()))
	n := 0
	for range s.All() {
		if n++; n == 3 {
			break
		}
	}
	assert.Equal(t, 3, n, "it can be left early")
}
