package walreader_test

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// seeded is a source of random numbers that a failed test can be repeated with.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if s, err := strconv.ParseUint(os.Getenv("GOREWIND_TEST_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("GOREWIND_TEST_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}
