package heap_test

import (
	"encoding/binary"
	"fmt"
	"log"

	"github.com/gorewind/gorewind/heap"
)

// The tuples of a page, of a table with an int4 and a text.
func ExamplePage_Tuples() {
	tuple, err := heap.NewTuple(2, 0, 24, append([]byte{0, 42, 0, 0, 0}, "\x0dhello"...)) // as stored in a WAL record
	if err != nil {
		log.Fatal(err)
	}
	columns := []heap.Column{{Len: 4, Align: 'i'}, {Len: -1, Align: 'i'}}
	for t, err := range page(tuple.Data).Tuples() {
		if err != nil {
			log.Fatal(err)
		}
		values, err := t.Values(columns, nil)
		if err != nil {
			log.Fatal(err)
		}
		text, external, err := heap.Inline(values[1].Raw)
		if err != nil || external != nil {
			log.Fatal("in a TOAST table, or damaged")
		}
		fmt.Printf("%d: %d %s\n", t.Offset, binary.LittleEndian.Uint32(values[0].Raw), text)
	}
	// Output: 1: 42 hello
}
