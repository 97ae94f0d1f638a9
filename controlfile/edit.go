package controlfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/gorewind/gorewind/pgdata"
)

// Encode returns the bytes of a control file that equals d but for f, with a
// valid checksum. All other bytes stay as they were, those between the fields
// too, which the checksum covers. Only what [Parse] returned has bytes to start
// from; for any other Data the result is nil.
//
//	f := d.Fields
//	f.State = controlfile.InArchiveRecovery
//	b := d.Encode(f)
func (d *Data) Encode(f Fields) []byte {
	if d.raw == nil {
		return nil
	}
	b, l := append([]byte(nil), d.raw...), layoutOf(d.Version.ControlVersion)
	le := binary.LittleEndian
	le.PutUint32(b[offState:], uint32(f.State))
	le.PutUint64(b[offTime:], uint64(f.Time.Unix()))
	le.PutUint64(b[offCheckPoint:], uint64(f.CheckPoint))
	le.PutUint64(b[l.minRecoveryPoint:], uint64(f.MinRecoveryPoint))
	le.PutUint32(b[l.minRecoveryPointTLI:], uint32(f.MinRecoveryPointTLI))
	le.PutUint32(b[l.crc:], crc32.Checksum(b[:l.crc], castagnoli))
	return b
}

// Poisoned returns d's bytes changed so that no server starts on them (invariant
// I2): the last checkpoint seems to lie inside the header of its WAL page, where
// no record can be. Every major refuses that, with or without a backup label;
// everything else stays readable, the state above all, by which failover
// managers decide what to do with the cluster.
func (d *Data) Poisoned() []byte {
	f := d.Fields
	f.CheckPoint = d.poison()
	return d.Encode(f)
}

// IsPoisoned reports whether d was made by [Data.Poisoned].
func (d *Data) IsPoisoned() bool { return d.CheckPoint == d.poison() }

func (d *Data) poison() pgdata.LSN { return d.Geometry.PageStart(d.CheckPoint) + 1 }

// MarshalBinary gives the whole file that [Parse] read.
func (d *Data) MarshalBinary() ([]byte, error) {
	if d.raw == nil {
		return nil, errors.New("a control file that was not read has no bytes")
	}
	return bytes.Clone(d.raw), nil
}

// UnmarshalBinary is [Parse].
func (d *Data) UnmarshalBinary(b []byte) error {
	parsed, err := Parse(b)
	if err == nil {
		*d = *parsed
	}
	return err
}
