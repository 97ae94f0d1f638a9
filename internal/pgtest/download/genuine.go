package download

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorewind/gorewind/internal/pgtest/cache"
	"github.com/gorewind/gorewind/internal/pgtest/lockfile"
	"github.com/gorewind/gorewind/internal/pgtest/process"
	"github.com/gorewind/gorewind/internal/pgtest/scratch"
)

//go:embed genuine.sh
var genuineScript []byte

// genuineMajors are the majors that genuine.sh can install.
var genuineMajors = []string{"13", "15", "16", "17", "18", "19"}

// GenuineMajors are the majors that are available with all the programs of a release.
func GenuineMajors() []string { return slices.Clone(genuineMajors) }

// MissingGenuine are those of the majors that are not installed. A recent failure to
// install one counts as installed.
func MissingGenuine(majors []string) []string {
	base, err := cache.Dir()
	if err != nil {
		return nil
	}
	dir := cache.Genuine(base)
	return slices.DeleteFunc(slices.Clone(majors), func(m string) bool {
		return !slices.Contains(genuineMajors, m) || isDir(filepath.Join(dir, m, "bin")) || recentFailure(dir, m) != nil
	})
}

// genuineAdvice is what to do if one is not available.
const genuineAdvice = "its first use fetches it from Debian's mirror: run the tests once on Debian with a network, or name the directory of its programs in GOREWIND_TEST_BINDIRS"

// Genuine returns the directory of all the programs of a release of a major. The first
// call on a machine installs them, together with those of the other wanted
// majors. The error wraps ErrUnavailable if they are unavailable.
func Genuine(ctx context.Context, major string, wanted []string) (string, error) {
	base, err := cache.Dir()
	if err != nil {
		return "", err
	}
	dir := cache.Genuine(base)
	bin := filepath.Join(dir, major, "bin")
	if !isDir(bin) {
		if err := installGenuine(ctx, dir, major, wanted); err != nil {
			return "", fmt.Errorf("PostgreSQL %s with all its programs is %w: %w (%s)", major, ErrUnavailable, err, genuineAdvice)
		}
	}
	return bin, nil
}

var installing sync.Mutex

// retryAfter is how long a failure to install keeps other processes from trying
// the same.
const retryAfter = 10 * time.Minute

// installGenuine runs genuine.sh for every wanted major that is missing, and
// returns why it failed for this one.
func installGenuine(ctx context.Context, dir, major string, wanted []string) error {
	installing.Lock()
	defer installing.Unlock()
	// If root has tried, its directory cannot be written, but the reason can be read.
	if err := recentFailure(dir, major); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	unlock, err := lockfile.Lock(filepath.Join(dir, ".lock"))
	if err != nil {
		return err
	}
	defer unlock()
	if absent := MissingGenuine(wanted); len(absent) > 0 {
		reasons, err := runGenuineScript(ctx, dir, absent)
		if err != nil {
			return err
		}
		for _, m := range absent {
			reason, failed := reasons[m]
			if failed {
				_ = os.WriteFile(failureFile(dir, m), []byte(reason), 0o644)
			}
		}
	}
	if isDir(filepath.Join(dir, major, "bin")) {
		return nil
	}
	if err := recentFailure(dir, major); err != nil {
		return err
	}
	return errors.New("genuine.sh did not install it")
}

func failureFile(dir, major string) string { return filepath.Join(dir, ".failed-"+major) }

func recentFailure(dir, major string) error {
	info, err := os.Stat(failureFile(dir, major))
	if err != nil || time.Since(info.ModTime()) > retryAfter {
		return nil
	}
	reason, err := os.ReadFile(failureFile(dir, major))
	if err != nil {
		return nil
	}
	return errors.New(string(reason))
}

// runGenuineScript returns the script's messages about the majors that it could not
// install.
func runGenuineScript(ctx context.Context, dir string, majors []string) (map[string]string, error) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		return nil, err
	}
	place, err := scratch.Run()
	if err != nil {
		return nil, err
	}
	script := filepath.Join(place, "genuine.sh")
	if err := os.WriteFile(script, genuineScript, 0o755); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, bash, append([]string{script, dir}, majors...)...)
	var said strings.Builder
	cmd.Stderr = &said
	process.KillGroup(cmd)
	cmd.WaitDelay = 10 * time.Second
	err = cmd.Run()
	reasons := map[string]string{}
	for line := range strings.Lines(said.String()) {
		if major, reason, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			reasons[major] = reason
		}
	}
	if err != nil && len(reasons) == 0 {
		return nil, fmt.Errorf("genuine.sh: %w: %s", err, strings.TrimSpace(said.String()))
	}
	return reasons, nil
}
