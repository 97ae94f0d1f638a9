package endtoend

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/rewind"
)

// ConditionOf is the word for an error of a rewind.
func ConditionOf(err error) rewind.Condition {
	var e *rewind.Error
	if errors.As(err, &e) {
		return e.Condition
	}
	return "none"
}

// ControlAt reads the control file of a data directory.
func ControlAt(dir string) (*controlfile.Data, error) {
	raw, err := os.ReadFile(filepath.Join(dir, pgdata.ControlFilePath))
	if err != nil {
		return nil, err
	}
	return controlfile.Parse(raw)
}

// Exists tells whether a file is there.
func Exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// ControlOf is ControlAt for a cluster that has one.
func ControlOf(t *testing.T, c *pgtest.Cluster) *controlfile.Data {
	t.Helper()
	d, err := ControlAt(c.Dir)
	require.NoError(t, err)
	return d
}
