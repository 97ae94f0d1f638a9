package pgsource_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/internal/pgtest/proxy"
	"github.com/gorewind/gorewind/internal/pgtest/servers"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/source/pgsource"
)

// discard is a sink that only counts.
type discard struct{}

func (discard) WriteAt(string, []byte, int64) error { return nil }
func (discard) Vanished(string) error               { return nil }

// benchmarkServer is a server of a major with a large file.
func benchmarkServer(b *testing.B, size int) *pgtest.Cluster {
	b.Helper()
	in, err := servers.Major(b.Context(), "15")
	if err != nil {
		b.Skip(err)
	}
	c := in.InitCluster(b, pgtest.Options{})
	require.NoError(b, os.WriteFile(filepath.Join(c.Dir, "big"), make([]byte, size), 0o600))
	c.Start(b)
	return c
}

func BenchmarkFetch(b *testing.B) {
	const size = 256 << 20
	c := benchmarkServer(b, size)
	var scattered []source.Range
	for at := int64(0); at < size; at += 3 * 8192 {
		scattered = append(scattered, source.Range{Path: "big", Offset: at, Length: 8192})
	}
	distant := proxy.Before(b, c)
	distant.Delay(5 * time.Millisecond)
	for _, bb := range []struct {
		name, conninfo string
		asked          []source.Range
	}{
		{"whole", c.ConnString("postgres"), []source.Range{{Path: "big", Length: size}}},
		{"blocks", c.ConnString("postgres"), scattered},
		{"distant", distant.ConnString("postgres", "postgres"), []source.Range{{Path: "big", Length: size}}},
		{"distant blocks", distant.ConnString("postgres", "postgres"), scattered},
	} {
		for _, jobs := range []int{1, 2, 4, 8} {
			b.Run(fmt.Sprintf("%s/jobs=%d", bb.name, jobs), func(b *testing.B) {
				s, err := pgsource.Open(b.Context(), bb.conninfo, pgsource.Options{Jobs: jobs})
				require.NoError(b, err)
				defer s.Close()
				bytes := int64(0)
				for _, r := range bb.asked {
					bytes += r.Length
				}
				b.SetBytes(bytes)
				b.ReportAllocs()
				for b.Loop() {
					require.NoError(b, s.Fetch(b.Context(), ranges(bb.asked...), discard{}))
				}
			})
		}
	}
}

func BenchmarkFiles(b *testing.B) {
	const files = 100_000
	c := benchmarkServer(b, 0)
	dir := filepath.Join(c.Dir, "base", "99")
	require.NoError(b, os.Mkdir(dir, 0o700))
	for i := range files {
		require.NoError(b, os.WriteFile(filepath.Join(dir, strconv.Itoa(100_000+i)), nil, 0o600))
	}
	for _, jobs := range []int{1, 2, 4} {
		b.Run(fmt.Sprintf("jobs=%d", jobs), func(b *testing.B) {
			s, err := pgsource.Open(b.Context(), c.ConnString("postgres"), pgsource.Options{Jobs: jobs})
			require.NoError(b, err)
			defer s.Close()
			for b.Loop() {
				n := 0
				for _, err := range s.Files(b.Context()) {
					require.NoError(b, err)
					n++
				}
				require.Greater(b, n, files)
			}
		})
	}
}
