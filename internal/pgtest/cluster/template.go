package cluster

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/gorewind/gorewind/internal/pgtest/cache"
	"github.com/gorewind/gorewind/internal/pgtest/lockfile"
	"github.com/gorewind/gorewind/internal/pgtest/scratch"
)

func (in *Installation) initdb(dir string, args []string) error {
	initdb, _ := in.Program("initdb")
	cmd := exec.CommandContext(context.Background(), initdb, append([]string{"-D", dir}, args...)...)
	cmd.Env = Env()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", cmd, err, out)
	}
	return nil
}

// dropTemplate0 makes a third of a new cluster's thousand files go away, which every copy,
// digest and rewind would otherwise handle. No server writes to template0.
func (in *Installation) dropTemplate0(dir string) error {
	postgres, _ := in.Program("postgres")
	cmd := exec.CommandContext(context.Background(), postgres, "--single", "-F", "-D", dir, "-c", "exit_on_error=on", "postgres")
	cmd.Env = Env()
	cmd.Stdin = strings.NewReader("UPDATE pg_database SET datistemplate = false WHERE datname = 'template0'\nDROP DATABASE template0\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", cmd, err, out)
	}
	return nil
}

// initdb is slow, so clusters are copies of the first one created with the same options,
// which is kept in the cache.
var templates sync.Map // key → func() (string, error)

func (in *Installation) template(args []string, template0 bool) (string, error) {
	bindir, err := filepath.EvalSymlinks(in.BinDir) // changes if the programs are reinstalled
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(bindir + "\x00" + strings.Join(args, "\x00")))
	key := fmt.Sprintf("%s-%x", in.Full, sum[:8])
	if !template0 {
		key += "-small"
	}
	find, _ := templates.LoadOrStore(key, sync.OnceValues(func() (string, error) {
		base, err := templateDir()
		if err != nil {
			return "", err
		}
		final := filepath.Join(base, key)
		unlock, err := lockfile.Lock(final + ".lock")
		if err != nil {
			return "", err
		}
		defer unlock()
		if info, err := os.Stat(final); err == nil && info.IsDir() {
			return final, nil
		}
		part := final + ".part"
		if err := os.RemoveAll(part); err != nil { // left by a killed process
			return "", err
		}
		if err := in.initdb(part, args); err != nil {
			return "", err
		}
		if !template0 {
			if err := in.dropTemplate0(part); err != nil {
				return "", err
			}
		}
		return final, os.Rename(part, final)
	}))
	return find.(func() (string, error))()
}

func templateDir() (string, error) {
	if dir, err := cache.Dir(); err == nil {
		dir = cache.Templates(dir, os.Getuid())
		if cache.Usable(dir) == nil {
			return dir, nil
		}
	}
	return scratch.Run()
}
