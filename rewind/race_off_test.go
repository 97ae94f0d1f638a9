//go:build !race

package rewind_test

const sparser = 1
