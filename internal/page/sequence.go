package page

import "encoding/binary"

// seqLayout is where the only tuple of a sequence has its numbers, told by the
// tuple's length (FormData_pg_sequence, FormData_pg_sequence_data,
// commands/sequence.h).
type seqLayout struct{ length, lastValue, logCount, isCalled int }

var seqLayouts = []seqLayout{
	{length: 41, lastValue: 24, logCount: 32, isCalled: 40},    // 10
	{length: 146, lastValue: 88, logCount: 136, isCalled: 145}, // until 9.6
}

// maskFetched takes away what differs where one side has the numbers that a
// sequence gave, and the other those that WAL has: up to 32 values ahead, and with
// log_cnt, which counts them, zero.
func maskFetched(a, b []byte) {
	ours, theirs := itemAt(a, headerSize).tuple(a), itemAt(b, headerSize).tuple(b)
	for _, l := range seqLayouts {
		if len(ours) != l.length || len(theirs) != l.length || ours[l.isCalled] != 1 || theirs[l.isCalled] != 1 {
			continue
		}
		number := func(tuple []byte, at int) int64 { return int64(binary.LittleEndian.Uint64(tuple[at:])) }
		values := number(ours, l.logCount) - number(theirs, l.logCount)
		if logged := number(ours, l.logCount) == 0 || number(theirs, l.logCount) == 0; !logged || values == 0 {
			continue
		}
		// What each value adds (INCREMENT BY) is not on the page of every major.
		if distance := number(theirs, l.lastValue) - number(ours, l.lastValue); distance != 0 && distance%values == 0 {
			for _, tuple := range [][]byte{ours, theirs} {
				clear(tuple[l.lastValue : l.lastValue+8])
				clear(tuple[l.logCount : l.logCount+8])
			}
		}
	}
}
