package built

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/gorewind/gorewind/internal/pgtest/scratch"
)

const module = "github.com/gorewind/gorewind"

// A Program is one of ours. An unprivileged process that root started finds its path in one
// environment variable or, in another one, the reason why it could not be built: go build
// would need root's caches.
type Program struct {
	name   string
	module string // its directory in our module, if it is a separate module
	pkg    string // the package in that module
	env    string
	path   func() (string, error)
}

// The programs.
var (
	gorewind = program("gorewind", "", "./cmd/gorewind", "GOREWIND_TEST_PROGRAM")
	fetcher  = program("embedded", "internal/pgtest/download/embedded", ".", "GOREWIND_TEST_FETCHER")
)

func program(name, module, pkg, env string) *Program {
	p := &Program{name: name, module: module, pkg: pkg, env: env}
	p.path = sync.OnceValues(func() (string, error) {
		if path := os.Getenv(p.env); path != "" {
			return path, nil
		}
		if reason := os.Getenv(p.env + "_ERROR"); reason != "" {
			return "", errors.New(reason)
		}
		dir, err := scratch.Run()
		if err != nil {
			return "", err
		}
		return p.build(dir)
	})
	return p
}

// T is the part of testing.T that Gorewind needs.
type T interface {
	Helper()
	Fatalf(format string, args ...any)
}

// Gorewind returns the path of a gorewind program built from the present sources.
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
func TryGorewind() (string, error) { return gorewind.path() }

// Fetcher is the program that downloads servers.
func Fetcher() (string, error) { return fetcher.path() }

// ForOthers builds gorewind and, if wanted, the fetcher in a directory, and returns the
// environment variables by which another process finds them.
func ForOthers(dir string, fetch bool) (env []string) {
	for _, p := range []*Program{gorewind, fetcher} {
		if p == fetcher && !fetch {
			continue
		}
		if path, err := p.build(dir); err == nil {
			env = append(env, p.env+"="+path)
		} else {
			env = append(env, p.env+"_ERROR="+err.Error())
		}
	}
	return env
}

// IsVariable reports whether a variable is one of those.
func IsVariable(name string) bool {
	name = strings.TrimSuffix(name, "_ERROR")
	return name == gorewind.env || name == fetcher.env
}

func (p *Program) build(dir string) (string, error) {
	root, err := exec.CommandContext(context.Background(), "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return "", fmt.Errorf("find the sources of %s: %w", p.name, err)
	}
	path := filepath.Join(dir, p.name)
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	args := []string{"build", "-trimpath", "-o", path, p.pkg}
	if cp, err := exec.LookPath("cp"); err == nil {
		// go run caches what it links; with -exec, cp copies the result instead of running it. Linking
		// it again for each package of tests took as long as many a test.
		args = []string{"run", "-trimpath", "-exec", cp, p.pkg, path}
	}
	cmd := exec.CommandContext(context.Background(), "go", args...)
	cmd.Dir = filepath.Join(strings.TrimSpace(string(root)), filepath.FromSlash(p.module))
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", cmd, err, out)
	}
	return path, nil
}
