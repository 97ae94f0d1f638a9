package rewind_test

import (
	"flag"
	"os"
	"testing"

	"github.com/gorewind/gorewind/internal/pgtest"
)

func TestMain(m *testing.M) {
	dieIfAsked()
	stopIfAsked()
	flag.Parse()
	if *update { // which needs no server, but the right to write to the checkout, even as root
		os.Exit(m.Run())
	}
	pgtest.Main(m)
}
