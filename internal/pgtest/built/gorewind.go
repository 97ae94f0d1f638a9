package built

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/gorewind/gorewind/internal/pgtest/scratch"
)

// An unprivileged process that root started finds the program there, or the
// reason why it could not be built: go build would need root's caches.
const (
	Env            = "GOREWIND_TEST_PROGRAM"
	EnvError       = "GOREWIND_TEST_PROGRAM_ERROR"
	commandPackage = "github.com/gorewind/gorewind/cmd/gorewind"
)

// T is what Gorewind needs of a test.
type T interface {
	Helper()
	Fatalf(format string, args ...any)
}

// Gorewind returns the path of a gorewind program of the present sources.
// It is built once per process.
func Gorewind(t T) string {
	t.Helper()
	path, err := TryGorewind()
	if err != nil {
		t.Fatalf("build gorewind: %v", err)
	}
	return path
}

// TryGorewind is Gorewind for programs.
var TryGorewind = sync.OnceValues(func() (string, error) {
	if path := os.Getenv(Env); path != "" {
		return path, nil
	}
	if reason := os.Getenv(EnvError); reason != "" {
		return "", errors.New(reason)
	}
	dir, err := scratch.Run()
	if err != nil {
		return "", err
	}
	return BuildIn(dir)
})

// BuildIn builds it in a directory.
func BuildIn(dir string) (string, error) {
	path := filepath.Join(dir, "gorewind"+exe())
	cmd := exec.CommandContext(context.Background(), "go", "build", "-trimpath", "-o", path, commandPackage)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", cmd, err, out)
	}
	return path, nil
}

func exe() string {
	if runtime.GOOS == "windows" {
		return ".exe"
	}
	return ""
}
