package endtoend

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAStandbyIsHopelessWhenItsLogRepeatsItself(t *testing.T) {
	const asked = "2026-01-01 [1] FATAL:  the database system is starting up\n"
	var recovers strings.Builder
	for i := range 40 {
		fmt.Fprintf(&recovers, "2026-01-01 [2] LOG:  restored log file %q from archive\n%s", fmt.Sprint(i), strings.Repeat(asked, 10))
	}
	for _, c := range []struct {
		name, log string
		want      bool
	}{
		{"the same message again and again", strings.Repeat("2026-01-01 [2] LOG:  invalid record\n"+asked, repeats), true},
		{"a recovery that makes progress while clients check whether it is ready", recovers.String(), false},
		{"only answers to clients, for seconds", strings.Repeat(asked, 10*repeats), true},
		{"a few answers to clients", strings.Repeat(asked, repeats), false},
	} {
		t.Run(c.name, func(t *testing.T) { assert.Equal(t, c.want, Hopeless(c.log)) })
	}
}
