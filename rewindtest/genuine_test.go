package rewindtest_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/rewindtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// PostgreSQL's programs accept the directories, and pg_rewind changes the target as
// gorewind does.
func TestTheGenuineProgramsAgree(t *testing.T) {
	pgtest.EachGenuine(t, func(t *testing.T, in *pgtest.Installation) {
		o := rewindtest.Options{Major: in.Version.Name}
		p, twin := rewindtest.New(t, o), rewindtest.New(t, o)
		lsn := p.Version.FormatLSN
		for _, dir := range []string{p.Target, p.Source} {
			said := in.Output(t, "pg_controldata", "-D", dir)
			assert.Regexp(t, `Database cluster state: +shut down\n`, said)
			assert.NotRegexp(t, `(?i)warning|unrecognized|unknown`, said)
			said = in.Output(t, "pg_checksums", "--check", "-D", dir)
			assert.Regexp(t, `Bad checksums: +0\n`, said)
			assert.Regexp(t, `Blocks scanned: +[1-9]`, said)
		}
		dumped := regexp.MustCompile(`(?m)^rmgr: `)
		said := in.Output(t, "pg_waldump", "-p", p.Source+"/pg_wal", "-t", "2", "-s", lsn(p.Checkpoint), "-e", lsn(p.SourceEnd))
		assert.Len(t, dumped.FindAllString(said, -1), 11, said)
		said = in.Output(t, "pg_waldump", "-p", p.Target+"/pg_wal", "-t", "1", "-s", "0/100028", "-e", lsn(p.Fork))
		assert.Len(t, dumped.FindAllString(said, -1), 18, said)
		assert.Equal(t, 4, strings.Count(said, "INSERT+INIT"), said)

		said = in.Output(t, "pg_rewind", "--dry-run", "-D", p.Target, "--source-pgdata", p.Source)
		assert.Contains(t, said, "servers diverged at WAL location "+lsn(p.Fork)+" on timeline 1")
		assert.Contains(t, said, "rewinding from last common checkpoint at "+lsn(p.Checkpoint)+" on timeline 1")
		in.Output(t, "pg_rewind", "-D", twin.Target, "--source-pgdata", twin.Source)
		_, err := run(t, p.Target, p.OpenSource(t))
		require.NoError(t, err)
		rewindtest.Equal(t, p.Target, twin.Target, 0)
		rewindtest.Equal(t, twin.Target, twin.Source, twin.SourceEnd)
	})
}
