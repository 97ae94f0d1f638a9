package main

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/gorewind/gorewind/internal/page"
	"github.com/gorewind/gorewind/internal/pgtest/cluster"
)

// compare checks that both servers agree: replication lag, the rows of all
// tables, no rows left that only A had, and valid pages.
func (s *story) compare() bool {
	s.step("Do both servers agree?")
	agree := true
	check := func(ok bool, format string, args ...any) {
		verdict := s.paint(green, "ok   ")
		if !ok {
			verdict, agree = s.paint(red, "WRONG"), false
		}
		s.say("%s %s", verdict, fmt.Sprintf(format, args...))
	}

	lag := s.waitForNoLag()
	check(lag == 0, "replication lag of A: %d bytes", lag)

	onA, onB := s.tables(s.a), s.tables(s.b)
	all := maps.Clone(onA)
	maps.Copy(all, onB)
	s.say("      %-10s %9s %9s  %-32s  %s", "table", "rows on A", "rows on B", "md5 of all rows on A", "on B")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		a, b := onA[name], onB[name]
		same := "the same"
		if a != b {
			same = b.md5
		}
		check(a == b, "%-10s %9s %9s  %-32s  %s", name, a.rows, b.rows, a.md5, same)
	}

	left := s.payments(s.a, onlyOnA)
	check(left == 0, "payments left that only A had taken: %d", left)

	s.a.Stop(s, cluster.Fast) // writes all pages
	pages, err := verifyPages(s.a.Dir)
	if err != nil {
		check(false, "pages of A: %v", err)
	} else {
		check(pages > 0, "the checksums of all %s pages of A", count(int64(pages)))
	}
	return agree
}

// waitForNoLag waits until A has replayed everything that B has written. It returns the
// remaining lag in bytes.
func (s *story) waitForNoLag() int64 {
	for end := time.Now().Add(patience); ; time.Sleep(glance) {
		replayed := s.a.ReplayLSN(s) // first: B may write on its own
		lag := int64(s.b.FlushLSN(s) - replayed)
		if lag == 0 || time.Now().After(end) {
			return lag
		}
	}
}

// contents is the content of a table.
type contents struct{ rows, md5 string }

// tables reads all tables of a server.
func (s *story) tables(c *cluster.Cluster) map[string]contents {
	found := map[string]contents{}
	for _, table := range c.QueryRows(s, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") {
		row := c.QueryRows(s, fmt.Sprintf("SELECT to_char(count(*), 'FM999,999,999'), md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM %s t", table[0]))[0]
		found[table[0]] = contents{rows: row[0], md5: row[1]}
	}
	return found
}

// pageSize is the page size of all servers that can be downloaded.
const pageSize = 8192

// relationFile matches the first gigabyte of a relation's forks. The demo has no
// larger files.
var relationFile = regexp.MustCompile(`^[0-9]+(_fsm|_vm)?$`)

// verifyPages verifies the checksums of all pages in a data directory.
func verifyPages(dir string) (pages int, err error) {
	for _, top := range []string{"base", "global"} {
		err := filepath.WalkDir(filepath.Join(dir, top), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !relationFile.MatchString(entry.Name()) {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for block := range len(data) / pageSize {
				if err := page.Verify(data[block*pageSize:][:pageSize], uint32(block)); err != nil {
					return fmt.Errorf("%s: %w", path, err)
				}
				pages++
			}
			return nil
		})
		if err != nil {
			return pages, err
		}
	}
	return pages, nil
}
