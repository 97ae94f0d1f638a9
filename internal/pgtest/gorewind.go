package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// An unprivileged process that root started finds the program there, or the
// reason why it could not be built: go build would need root's caches.
const (
	envGorewind      = "GOREWIND_TEST_PROGRAM"
	envGorewindError = "GOREWIND_TEST_PROGRAM_ERROR"
	commandPackage   = "github.com/gorewind/gorewind/cmd/gorewind"
)

// BuildGorewind returns the path of a gorewind program of the present sources.
// It is built once per process.
func BuildGorewind(t T) string {
	t.Helper()
	path, err := Gorewind()
	if err != nil {
		t.Fatalf("build gorewind: %v", err)
	}
	return path
}

// Gorewind is BuildGorewind for programs.
var Gorewind = sync.OnceValues(func() (string, error) {
	if path := os.Getenv(envGorewind); path != "" {
		return path, nil
	}
	if reason := os.Getenv(envGorewindError); reason != "" {
		return "", errors.New(reason)
	}
	r, err := run()
	if err != nil {
		return "", err
	}
	return buildGorewind(r.path)
})

func buildGorewind(dir string) (string, error) {
	path := filepath.Join(dir, exe("gorewind"))
	cmd := exec.CommandContext(context.Background(), "go", "build", "-trimpath", "-o", path, commandPackage)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", cmd, err, out)
	}
	return path, nil
}
