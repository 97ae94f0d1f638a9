package pgdata_test

import (
	"fmt"

	"github.com/gorewind/gorewind/pgdata"
)

func ExampleParseLSN() {
	lsn, err := pgdata.ParseLSN("0/3012710")
	if err != nil {
		fmt.Println(err)
		return
	}
	g := pgdata.Geometry{WALSegSize: 16 << 20}
	fmt.Println(lsn, lsn.Padded(), g.WALFileName(2, g.SegNo(lsn)))
	// Output: 0/3012710 0/03012710 000000020000000000000003
}

func ExampleVersionByControl() {
	v, err := pgdata.VersionByControl(1300, 202307071)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(v, v.WALDir, v.TablespaceDir())
	// Output: 16 pg_wal PG_16_202307071
}

func ExampleParseRelPath() {
	v := pgdata.VersionByName("17")
	s, ok := pgdata.ParseRelPath(v, "base/16384/16390.1")
	fmt.Println(s.Locator, s.Segment, ok)
	_, ok = pgdata.ParseRelPath(v, "base/16384/16390_vm")
	fmt.Println(ok)
	// Output:
	// 1663/16384/16390 1 true
	// false
}
