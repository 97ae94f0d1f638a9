package pgsource

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gorewind/gorewind/pgdata"
)

// listing is a listing in progress. Its work is directories, in batches.
type listing struct {
	server  *Server
	workers *workers
	work    *queue[*task]
	found   chan []pgdata.FileInfo // closed at the end
	err     error                  // once it is closed

	files atomic.Int64 // received, including repetitions

	mu        sync.Mutex
	seen      map[string]bool // directories
	seenBytes int             // of their paths
}

// task is a batch of directories that are listed together.
type task struct {
	dirs []directory
	best int // the most entries that one attempt received; more of them are progress
}

// parents and the WAL directory contain directories on every server. Their
// subdirectories are requested together with them.
var parents = []string{"base", "pg_logical", "pg_multixact"}

func (s *Server) list(ctx context.Context) *listing {
	c := newWorkers(ctx, s.pool)
	l := &listing{server: s, workers: c, work: newQueue[*task](c.ctx), found: make(chan []pgdata.FileInfo, 4), seen: map[string]bool{}}
	c.work = func(ctx context.Context, s *session) error {
		d := &lister{listing: l, session: s}
		err := s.do(ctx, d.run)
		if errors.Is(err, errAbandoned) {
			l.work.giveBack(d.taken)
		}
		return err
	}
	first := []directory{{shares: 1}}
	for _, dir := range append(parents, s.version.WALDir) {
		first, l.seen[dir] = append(first, directory{path: dir, shares: 1}), true
	}
	l.work.set(func() { l.work.ready, l.work.adding = []*task{{dirs: first}}, false })
	c.want(1)
	go func() {
		l.err = c.wait()
		close(l.found)
	}()
	return l
}

// subdirectory is a directory that was found, with its own size.
type subdirectory struct {
	path string
	size int64
}

// enter queues directories, each once. The queue is not limited, because the workers that
// take from it also add to it.
func (l *listing) enter(dirs []subdirectory) error {
	var batch []directory
	var tasks []*task
	l.mu.Lock()
	for _, d := range dirs {
		shares, named := int32(1), l.server.canName(d.path)
		for size := d.size; named && size > largeDirectory && shares < maxShares; size -= hugeDirectory {
			shares *= 2
		}
		switch {
		case l.seen[d.path], path.Base(d.path) == "lost+found", l.server.spare != nil && l.server.spare(d.path):
			continue
		case shares > 1 || !named:
			for share := range shares {
				tasks = append(tasks, &task{dirs: []directory{{d.path, share, shares}}})
			}
		default:
			batch = append(batch, directory{path: d.path, shares: 1})
		}
		l.seen[d.path] = true
		l.seenBytes += len(d.path)
	}
	many := len(l.seen) > mostDirectories || l.seenBytes > mostPaths
	l.mu.Unlock()
	if many {
		return unwanted("a list of %d directories and more", mostDirectories)
	}
	for len(batch) > 0 {
		n := min(len(batch), maxDirectories)
		tasks = append(tasks, &task{dirs: batch[:n]})
		batch = batch[n:]
	}
	large := 0
	l.work.set(func() {
		l.work.ready = append(l.work.ready, tasks...)
		for _, t := range l.work.ready {
			if len(t.dirs) == maxDirectories || t.dirs[0].shares > 1 {
				large++
			}
		}
	})
	if large > 0 {
		l.workers.want(1 + large)
	}
	return nil
}

// lister lists directories on one connection.
type lister struct {
	*listing
	session *session
	taken   []*task // at most one
}

func (l *lister) run(ctx context.Context, conn *conn) error {
	for {
		if len(l.taken) == 0 {
			if l.taken = l.work.take(1, true); len(l.taken) == 0 {
				return nil
			}
		}
		if err := l.list(ctx, conn, l.taken[0]); err != nil {
			return err
		}
		l.taken = nil
		l.work.done(1)
	}
}

// list lists a batch of directories. Their subdirectories are queued after they were
// passed on.
func (l *lister) list(ctx context.Context, conn *conn, t *task) (err error) {
	asked := time.Now()
	rows, err := l.query(ctx, conn, t.dirs)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil && rows.Err() == nil {
			conn.filter.stopWith(err) // the rest is not waited for
		}
		rows.Close()
	}()
	came := 0
	var chunk []pgdata.FileInfo
	var inside []subdirectory
	flush := func() error {
		if len(chunk) == 0 {
			return nil
		}
		select {
		case l.found <- chunk:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := l.enter(inside); err != nil {
			return &finalError{err}
		}
		if l.files.Add(int64(len(chunk))) > mostFiles {
			return &finalError{unwanted("a list of %d files and more", mostFiles)}
		}
		if came += len(chunk); came > t.best {
			t.best = came
			l.session.moved()
		}
		chunk, inside = nil, nil
		return nil
	}
	for rows.Next() {
		f, size, err := file(t.dirs, rows.RawValues())
		if err != nil {
			return &finalError{err}
		}
		if chunk == nil {
			chunk = make([]pgdata.FileInfo, 0, listingChunk)
		}
		chunk = append(chunk, f)
		if f.Type != pgdata.Regular {
			inside = append(inside, subdirectory{f.Path, size})
		}
		if len(chunk) == listingChunk {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	l.session.pool.proof.noteAnswer(l.session, asked)
	return flush()
}

func (l *lister) query(ctx context.Context, conn *conn, dirs []directory) (pgx.Rows, error) {
	if p := dirs[0].path; !l.server.canName(p) {
		return conn.query(ctx, listAnswer, listUnnamedSQL, namesOf(p))
	}
	n := len(dirs)
	paths, versions, share, shares := make([]string, n), make([]bool, n), make([]int32, n), make([]int32, n)
	for i, d := range dirs {
		paths[i], versions[i], share[i], shares[i] = d.path, path.Dir(d.path) == pgdata.TablespaceRoot, d.share, d.shares
		if d.path == "" {
			paths[i] = "."
		}
	}
	return conn.query(ctx, listAnswer, listSQL, paths, versions, share, shares)
}

// isOID reports whether a name is one that tablespace links have.
func isOID(name string) bool {
	oid, err := strconv.ParseUint(name, 10, 32)
	return err == nil && strconv.FormatUint(oid, 10) == name
}

var errNoList = unwanted("a list of files that is invalid, or that it was not asked for")

// file is the content of a row. size is the size of the directory itself.
func file(dirs []directory, row [][]byte) (f pgdata.FileInfo, size int64, err error) {
	if len(row) != 5 {
		return f, 0, errNoList
	}
	i, err := strconv.Atoi(string(row[0]))
	if err == nil {
		size, err = strconv.ParseInt(string(row[2]), 10, 64)
	}
	if i--; err != nil || i < 0 || i >= len(dirs) || size < 0 {
		return f, 0, errNoList
	}
	name := row[1]
	if len(name) == 0 || len(name) > maxFileName || bytes.IndexByte(name, '/') >= 0 {
		return f, 0, errNoList
	}
	f.Path = string(name)
	dir := dirs[i].path
	if dir != "" {
		f.Path = dir + "/" + f.Path
	}
	if len(f.Path) > maxPath {
		return f, 0, errNoList
	}
	switch location := row[4]; {
	case len(location) > 0 && (dir != pgdata.TablespaceRoot || !isOID(string(row[1]))):
		return f, 0, fmt.Errorf("the source says that %q is the link of a tablespace, which is where none can be", f.Path)
	case len(location) > 0 && location[0] == '/':
		f.Type, f.Link = pgdata.Symlink, string(location)
	case string(row[3]) == "t":
		f.Type = pgdata.Directory
	default:
		f.Type, f.Size = pgdata.Regular, size
	}
	return f, size, nil
}
