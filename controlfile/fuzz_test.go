package controlfile_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/pgdata"
)

// FuzzParse also tries each input with a valid checksum, which the fuzzer would
// hardly find by itself.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.pg_control")
	require.NoError(f, err)
	require.Len(f, files, 2*len(pgdata.Versions()))
	for _, file := range files {
		b, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(b[:512]) // the rest is zero
	}
	f.Add([]byte{})
	f.Add(make([]byte, controlfile.Size+1))

	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) <= 512 {
			b = append(bytes.Clone(b), make([]byte, controlfile.Size-len(b))...)
		}
		roundTrip(t, b)
		if len(b) == controlfile.Size {
			for _, end := range []int{256, 280, 288, 292, 308} {
				b := bytes.Clone(b)
				binary.LittleEndian.PutUint32(b[end:], crc(b[:end]))
				roundTrip(t, b)
			}
		}
	})
}

func roundTrip(t *testing.T, b []byte) {
	d, err := controlfile.Parse(b)
	if err != nil {
		assert.NotEmpty(t, err.Error())
		return
	}
	assert.Equal(t, b, d.Encode(d.Fields))
	f := d.Fields
	f.CheckPoint++
	changed, err := controlfile.Parse(d.Encode(f))
	require.NoError(t, err)
	assert.Equal(t, b, changed.Encode(d.Fields))
}
