package cluster

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorewind/gorewind/internal/pgtest/dirtree"
	"github.com/gorewind/gorewind/internal/pgtest/process"
	"github.com/gorewind/gorewind/internal/pgtest/scratch"
)

// Options are how a cluster is created. The zero value creates one with checksums,
// 16 MB WAL segments and settings for tests.
type Options struct {
	Name         string            // application_name of the cluster as a standby; default "nodeN"
	WALSegSizeMB int               // a power of two; see Installation.CanChooseWALSegSize
	NoChecksums  bool              // sets wal_log_hints instead, because a rewind needs one of them
	GroupAccess  bool              // files 0640, directories 0750; see Installation.CanGroupAccess
	SeparateWAL  bool              // the WAL directory is a symbolic link to a directory outside
	ExtraInitdb  []string          // more options for initdb
	Conf         map[string]string // settings for postgresql.conf, over the default ones
	TCP          bool              // also listens on 127.0.0.1
	InMemory     bool              // is in main memory, if the machine has room for it; in tests, all are
	Template0    bool              // has database template0; without it, a cluster has a third fewer files
	Distinct     bool              // has its own system identifier, and template0; otherwise clusters with the same options share one
}

// inMemory reports whether a cluster should be in memory. Creating and removing its thousand files
// costs several times as much on a disk, and no test is about that disk.
func (o Options) inMemory() bool { return o.InMemory || testing.Testing() }

// Cluster is a data directory with its server, which may be running or not. Settings
// that belong to the location and not to the data (port, socket, log file) are on
// the server's command line, so a cluster keeps them when its files are replaced.
type Cluster struct {
	In           *Installation
	Name         string
	Dir          string        // the data directory
	LogFile      string        // next to the data directory
	StartTimeout time.Duration // how long Start waits for connections; a minute unless changed
	// Hopeless, if not nil, reports from what the server has logged since its start that
	// waiting for connections is pointless.
	Hopeless func(log string) bool

	home   string // contains everything of the cluster, and the socket
	memory bool   // it and its copies are in main memory, if there is room
	port   int
	tcp    bool

	mu     sync.Mutex
	server *server // nil when stopped
}

// testConf are settings that make servers fast, quiet and predictable.
// Rewinding copies postgresql.conf, so nothing here may depend on the location.
var testConf = map[string]string{
	"fsync":                        "off",
	"shared_buffers":               "16MB",
	"max_connections":              "40",
	"max_prepared_transactions":    "10",
	"wal_level":                    "replica",
	"max_wal_senders":              "8",
	"max_replication_slots":        "8",
	"hot_standby":                  "on",
	"autovacuum":                   "off",
	"checkpoint_timeout":           "30min",
	"wal_retrieve_retry_interval":  "100ms",
	"wal_receiver_status_interval": "1s",
	// Shared memory in files is removed with the data directory even if the server is killed.
	"dynamic_shared_memory_type": "mmap",
	"log_line_prefix":            "%m [%p] ",
	"log_timezone":               "UTC",
	"timezone":                   "UTC",
}

const keepWALMB = 256

var (
	clusters  atomic.Int64
	stopAtEnd sync.Once
)

// newCluster creates the directories of a cluster, without data.
func newCluster(t T, in *Installation, name string, tcp, inMemory bool) *Cluster {
	t.Helper()
	base, err := scratch.Run()
	if err != nil {
		t.Fatalf("no place for clusters: %v", err)
	}
	stopAtEnd.Do(func() { scratch.Before(stopAll) })
	n := int(clusters.Add(1))
	if name == "" {
		name = fmt.Sprintf("node%d", n)
	}
	if inMemory {
		base = cmp.Or(scratch.RoomyMemory(), base)
	}
	c := &Cluster{
		In: in, Name: name, StartTimeout: time.Minute,
		memory: inMemory, home: filepath.Join(base, fmt.Sprint(n)),
		tcp: tcp, port: 10000 + (os.Getpid()*31+n)%50000,
	}
	c.Dir, c.LogFile = filepath.Join(c.home, "data"), filepath.Join(c.home, "server.log")
	if err := os.Mkdir(c.home, 0o700); err != nil {
		t.Fatalf("no place for a cluster: %v", err)
	}
	if tcp {
		c.port = freePort(t)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("last lines of the log of %s (PostgreSQL %s):\n%s", c.Name, in, c.LogTail(40))
		}
		c.halt()
		if err := os.RemoveAll(c.home); err != nil {
			t.Logf("cannot remove %s: %v", c.home, err)
		}
	})
	return c
}

// givenPorts are the ports of this process's clusters, whether they run or not.
var givenPorts sync.Map

// freePort finds a port below those that systems use for outgoing connections.
func freePort(t T) int {
	t.Helper()
	for range 1000 {
		port := 20000 + rand.IntN(12000)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		_ = l.Close()
		if _, given := givenPorts.LoadOrStore(port, true); !given {
			return port
		}
	}
	t.Fatalf("no free port between 20000 and 32000")
	return 0
}

// InitCluster creates a cluster, which is stopped and removed when the test ends.
func (in *Installation) InitCluster(t T, o Options) *Cluster {
	t.Helper()
	if process.IsRoot() {
		t.Fatalf("PostgreSQL does not run as root: call pgtest.Main or unprivileged.Program first")
	}
	args := in.initdbArgs(t, o)
	c := newCluster(t, in, o.Name, o.TCP, o.inMemory())
	var err error
	if o.Distinct {
		err = in.initdb(c.Dir, args)
	} else {
		var template string
		if template, err = in.template(args, o.Template0); err == nil {
			err = dirtree.Copy(template, c.Dir)
		}
	}
	if err == nil && o.SeparateWAL {
		err = c.separateWAL()
	}
	if err != nil {
		t.Fatalf("make a cluster of PostgreSQL %s: %v", in, err)
	}
	c.writeConf(t, o)
	return c
}

func (in *Installation) initdbArgs(t T, o Options) []string {
	t.Helper()
	d := in.dialect()
	args := []string{"-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"}
	if o.NoChecksums {
		args = append(args, d.noChecksums...)
	} else {
		args = append(args, d.checksums...)
	}
	if o.WALSegSizeMB != 0 && o.WALSegSizeMB != 16 {
		if !d.walSegSize {
			t.Fatalf("PostgreSQL %s has 16 MB WAL segments only", in)
		}
		args = append(args, fmt.Sprintf("--wal-segsize=%d", o.WALSegSizeMB))
	}
	if o.GroupAccess {
		if !d.groupAccess {
			t.Fatalf("PostgreSQL %s has no clusters that a group can read", in)
		}
		args = append(args, "--allow-group-access")
	}
	return append(args, o.ExtraInitdb...)
}

func (c *Cluster) separateWAL() error {
	inside, outside := filepath.Join(c.Dir, c.In.Version.WALDir), filepath.Join(c.home, "wal")
	if err := os.Rename(inside, outside); err != nil {
		return err
	}
	return os.Symlink(outside, inside)
}

func (c *Cluster) writeConf(t T, o Options) {
	t.Helper()
	conf := maps.Clone(testConf)
	maps.Copy(conf, c.In.dialect().settings)
	if o.NoChecksums {
		conf["wal_log_hints"] = "on"
	}
	maps.Copy(conf, o.Conf)
	segment := 16
	if o.WALSegSizeMB != 0 {
		segment = o.WALSegSizeMB
	}
	c.appendFile(t, "postgresql.conf", "\n# For tests.\n"+c.In.dialect().keepWAL(keepWALMB, segment)+"\n"+confLines(conf))
	hba := "local all all trust\nlocal replication all trust\nhost all all 127.0.0.1/32 trust\nhost replication all 127.0.0.1/32 trust\n"
	if err := os.WriteFile(filepath.Join(c.Dir, "pg_hba.conf"), []byte(hba), 0o600); err != nil {
		t.Fatalf("%v", err)
	}
}

func confLines(conf map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(conf)) {
		fmt.Fprintf(&b, "%s = '%s'\n", name, strings.ReplaceAll(conf[name], "'", "''"))
	}
	return b.String()
}

// SetConf appends settings to postgresql.conf. They take effect at the next Start or
// Reload, and last until a rewind copies that file from the source.
func (c *Cluster) SetConf(t T, conf map[string]string) {
	t.Helper()
	c.appendFile(t, "postgresql.conf", confLines(conf))
}

func (c *Cluster) appendFile(t T, name, text string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(c.Dir, name), os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	if err == nil {
		_, err = f.WriteString(text)
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
	}
	if err != nil {
		t.Fatalf("%s: write %s: %v", c.Name, name, err)
	}
}

// TablespaceDir creates an empty directory for CREATE TABLESPACE. A streaming
// standby on the same machine would use the same directory: create tablespaces
// before the standby is copied.
func (c *Cluster) TablespaceDir(t T, name string) string {
	t.Helper()
	dir := filepath.Join(c.home, "tablespaces", name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatalf("%v", err)
	}
	return dir
}
