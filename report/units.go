package report

import (
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"
)

// Bytes formats a size for people, as in "12 MB" or "1.2 GB", in powers of 1024.
func Bytes(n int64) string {
	sign, f := "", float64(n)
	if n < 0 { // the smallest int64 has no positive counterpart
		sign, f = "-", -f
	}
	units := []string{"bytes", "kB", "MB", "GB", "TB", "PB", "EB"}
	unit := 0
	for f >= 1000 && unit < len(units)-1 {
		f, unit = f/1024, unit+1
	}
	switch {
	case unit == 0:
		return fmt.Sprintf("%s%.0f %s", sign, f, units[0])
	case f < 9.95:
		return fmt.Sprintf("%s%.1f %s", sign, f, units[unit])
	}
	return fmt.Sprintf("%s%.0f %s", sign, f, units[unit])
}

// Count formats a number with what it counts, as in "1 file", "2 files".
func Count(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// maxDuration is the longest duration that is written in full, in seconds: a year.
const maxDuration = 365 * 24 * 60 * 60

// Duration formats a number of seconds for people, as in "0.25 s" or "1h2m3s".
func Duration(seconds float64) string {
	switch {
	case seconds > maxDuration:
		return "more than a year"
	case seconds >= 60:
		return (time.Duration(seconds) * time.Second).String()
	case seconds < 0:
		return "0.00 s" // the clock was set back
	}
	return fmt.Sprintf("%.2f s", seconds)
}

// BlockRuns yields the first and the last block of every run in a File's Blocks,
// such as 0, 3 and 7, 7 for "0-3 7". It skips what is not a run.
func BlockRuns(blocks string) iter.Seq2[int64, int64] {
	return func(yield func(int64, int64) bool) {
		for run := range strings.FieldsSeq(blocks) {
			low, high, isRange := strings.Cut(run, "-")
			if !isRange {
				high = low
			}
			first, err := strconv.ParseUint(low, 10, 32)
			if err != nil {
				continue
			}
			last, err := strconv.ParseUint(high, 10, 32)
			if err == nil && first <= last && !yield(int64(first), int64(last)) {
				return
			}
		}
	}
}
