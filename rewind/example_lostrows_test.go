package rewind_test

import (
	"context"
	"fmt"

	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
)

// List, row by row, what an old primary has that the new one never received.
func ExampleFindLostRows() {
	ctx := context.Background()
	src, err := source.OpenDir("/srv/postgres/b")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = src.Close() }()
	lost, err := rewind.FindLostRows(ctx, rewind.LostRowsOptions{TargetDir: "/srv/postgres/a", Source: src, Tables: []string{"public.orders"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = lost.Close() }()
	for change, err := range lost.Changes(ctx) {
		if err != nil {
			fmt.Println(err)
			return
		}
		if change.New == nil { // a deletion, or the row is not known
			continue
		}
		for i, column := range change.Table.Columns {
			fmt.Printf("%s %s = %s\n", change.Op, column.Name, change.New[i].Text)
		}
	}
}
