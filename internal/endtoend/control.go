package endtoend

import (
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/rewind"
)

// ConditionOf is the condition of a rewind's error, "none" if it has none.
func ConditionOf(err error) rewind.Condition {
	var e *rewind.Error
	if errors.As(err, &e) {
		return e.Condition
	}
	return "none"
}

// Exists reports whether a file exists.
func Exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// ControlOf reads the control file of a cluster that has one.
func ControlOf(t *testing.T, c *pgtest.Cluster) *controlfile.Data {
	t.Helper()
	d, err := controlfile.Read(c.Dir)
	require.NoError(t, err)
	return d
}
