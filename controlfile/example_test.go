package controlfile_test

import (
	"errors"
	"fmt"
	"os"

	"github.com/gorewind/gorewind/controlfile"
)

func ExampleParse() {
	b, err := os.ReadFile("testdata/17-standby.pg_control") // global/pg_control of a cluster
	if err != nil {
		fmt.Println(err)
		return
	}
	d, err := controlfile.Parse(b)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("PostgreSQL", d.Version)
	fmt.Println(d.State, "on timeline", d.Timeline())
	fmt.Println("WAL segments of", d.Geometry.WALSegSize>>20, "MB")
	// Output:
	// PostgreSQL 17
	// in archive recovery on timeline 2
	// WAL segments of 2 MB
}

// A file that comes from a running server can be torn.
func ExampleParse_torn() {
	b := make([]byte, controlfile.Size)
	if _, err := controlfile.Parse(b); errors.Is(err, controlfile.ErrCRC) {
		fmt.Println("read it again")
	}
	// Output: read it again
}

func ExampleData_Encode() {
	b, err := os.ReadFile("testdata/17.pg_control")
	if err != nil {
		fmt.Println(err)
		return
	}
	d, err := controlfile.Parse(b)
	if err != nil {
		fmt.Println(err)
		return
	}
	f := d.Fields
	f.State = controlfile.InArchiveRecovery
	f.MinRecoveryPoint, f.MinRecoveryPointTLI = 0x3012710, 2
	changed, err := controlfile.Parse(d.Encode(f))
	fmt.Println(changed.State, "until", changed.MinRecoveryPoint, err)
	// Output: in archive recovery until 0/3012710 <nil>
}
