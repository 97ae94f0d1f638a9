package poison_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/poison"
	"github.com/gorewind/gorewind/pgdata"
)

func TestAPoisonedFileKeepsEverythingButTheCheckpoint(t *testing.T) {
	for _, v := range pgdata.Versions() {
		t.Run(v.Name, func(t *testing.T) {
			raw, err := os.ReadFile(filepath.Join("..", "..", "controlfile", "testdata", v.Name+".pg_control"))
			require.NoError(t, err)
			d, err := controlfile.Parse(raw)
			require.NoError(t, err)
			f := d.Fields
			f.CheckPoint = 0x5_00A03F28
			d, err = controlfile.Parse(d.Encode(f))
			require.NoError(t, err)
			assert.False(t, poison.Is(d))

			p, err := controlfile.Parse(poison.Of(d))
			require.NoError(t, err)
			assert.True(t, poison.Is(p))
			assert.Equal(t, d.Geometry.PageStart(0x5_00A03F28)+1, p.CheckPoint, "within the page's header")
			assert.Equal(t, d.CheckPointCopy, p.CheckPointCopy)
			assert.Equal(t, d.State, p.State)
			assert.Equal(t, p.Encode(p.Fields), poison.Of(p), "poisoning twice is poisoning once")

			f = p.Fields
			f.CheckPoint = d.CheckPoint
			assert.Equal(t, d.Encode(d.Fields), p.Encode(f), "the way back")
		})
	}
}
