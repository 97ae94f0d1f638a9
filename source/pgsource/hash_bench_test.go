package pgsource_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/internal/pgtest/servers"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/source/pgsource"
)

// BenchmarkCompare hashes on the server, with both hashes that servers have, and
// fetches the same bytes.
func BenchmarkCompare(b *testing.B) {
	for _, major := range []string{"9.6", "15"} {
		in, err := servers.Major(context.Background(), major)
		if err != nil {
			b.Skip(err)
		}
		c := in.InitCluster(b, pgtest.Options{})
		require.NoError(b, os.WriteFile(filepath.Join(c.Dir, "big"), bytes.Repeat([]byte("0123456789abcdef"), 256<<20/16), 0o600))
		c.Start(b)
		s, err := pgsource.Open(context.Background(), c.ConnString("postgres"), pgsource.Options{})
		require.NoError(b, err)
		defer s.Close()
		for name, length := range map[string]int64{"8kB": 8 << 10, "64kB": 64 << 10, "1MB": 1 << 20} {
			var ranges []source.Range
			for at := int64(0); at < 256<<20; at += length {
				ranges = append(ranges, source.Range{Path: "big", Offset: at, Length: length})
			}
			b.Run(major+"/hash/"+name, func(b *testing.B) {
				b.SetBytes(256 << 20)
				for b.Loop() {
					require.NoError(b, s.Hash(b.Context(), slices.Values(ranges), func(source.Range, []byte) error { return nil }))
				}
			})
			b.Run(major+"/fetch/"+name, func(b *testing.B) {
				b.SetBytes(256 << 20)
				for b.Loop() {
					require.NoError(b, s.Fetch(b.Context(), slices.Values(ranges), sinkFunc(func(string) error { return nil })))
				}
			})
		}
	}
}
