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
	if *update { // this needs no server, but must be able to write to the checkout, even as root
		os.Exit(m.Run())
	}
	pgtest.Main(m)
}
