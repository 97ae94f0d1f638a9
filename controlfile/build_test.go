package controlfile_test

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/pgdata"
)

// For real clusters, only the nonce is missing from the parsed data, and the padding
// between fields.
func TestARealControlFileIsBuiltAgain(t *testing.T) {
	eachReal(t, func(t *testing.T, _ string, b []byte, d *controlfile.Data) {
		values := *d
		built, err := controlfile.Build(values)
		require.NoError(t, err)
		again, err := controlfile.Parse(built)
		require.NoError(t, err)
		assert.Equal(t, flat(d), flat(again))

		differ := 0
		for i := range built {
			if built[i] != b[i] {
				differ++
			}
		}
		assert.LessOrEqual(t, differ, 32+4+8, "the nonce, the CRC, and padding")
	})
}

func TestEveryFieldIsBuiltWhereTheDeclarationPutsIt(t *testing.T) {
	eachVersion(t, func(t *testing.T, v *pgdata.Version) {
		d, err := controlfile.Parse(sample(t, v, nil))
		require.NoError(t, err)
		b, err := controlfile.Build(*d)
		require.NoError(t, err)
		again, err := controlfile.Parse(b)
		require.NoError(t, err)
		assert.Equal(t, flat(d), flat(again))
		body := d.CheckPointCopy.Encode(v)
		require.Len(t, body, v.WAL.CheckPointSize)
		assert.Equal(t, uint64(d.CheckPointCopy.Redo), binary.LittleEndian.Uint64(body))
	})
}

func TestAControlFileOfNoMajorOrAnImpossibleOneIsNotBuilt(t *testing.T) {
	_, err := controlfile.Build(controlfile.Data{})
	assert.ErrorContains(t, err, "Data.Version must be set")
	_, err = controlfile.Build(controlfile.Data{Version: pgdata.VersionByName("18")})
	assert.ErrorContains(t, err, "could not build a control file")
	_, err = controlfile.Build(controlfile.Data{Version: &pgdata.Version{ControlVersion: 2}})
	var unsupported *pgdata.UnsupportedVersionError
	assert.ErrorAs(t, err, &unsupported)
}
