package randomtest

import (
	"math/rand/v2"
	"os"
	"strconv"
)

// Torture is zero, or makes tests try everything instead of a sample, and multiplies the
// number of random attempts: see make torture.
func Torture() int {
	n, _ := strconv.Atoi(os.Getenv("GOREWIND_TORTURE"))
	return n
}

// GivenSeed is the seed with which to repeat a random test, if there is one.
func GivenSeed() (seed uint64, given bool) {
	seed, err := strconv.ParseUint(os.Getenv("GOREWIND_TEST_SEED"), 10, 64)
	return seed, err == nil
}

// Seed returns the seed of a random test, which prints it.
func Seed() uint64 {
	if seed, given := GivenSeed(); given {
		return seed
	}
	return rand.Uint64()
}
