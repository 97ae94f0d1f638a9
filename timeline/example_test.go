package timeline_test

import (
	"fmt"

	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/timeline"
)

// An old primary stayed on timeline 1 when another server took over.
func ExampleCommonAncestor() {
	source, err := timeline.Parse(2, []byte("1\t0/3012710\tno recovery target specified\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	target := timeline.First()
	fork, index, err := timeline.CommonAncestor(source, target)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("servers diverged at WAL location %s on timeline %d\n", fork, source[index].TLI)
	// Output: servers diverged at WAL location 0/3012710 on timeline 1
}

func ExampleHistory_TimelineOf() {
	h, err := timeline.Parse(2, []byte("1\t0/3012710\tno recovery target specified\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	g := pgdata.Geometry{WALSegSize: 16 << 20}
	for s := range pgdata.SegNo(5) {
		fmt.Println(g.WALFileName(h.TimelineOf(g, s), s))
	}
	// Output:
	// 000000010000000000000000
	// 000000010000000000000001
	// 000000010000000000000002
	// 000000020000000000000003
	// 000000020000000000000004
}
