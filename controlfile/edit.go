package controlfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// Encode returns the bytes of a control file that equals d except for f, with a
// valid checksum. All other bytes are unchanged, including those between the fields,
// which the checksum covers. Only Data from [Parse] has the original bytes;
// for any other Data the result is nil.
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

// MarshalBinary returns the whole file that [Parse] read.
func (d *Data) MarshalBinary() ([]byte, error) {
	if d.raw == nil {
		return nil, errors.New("this control file was not read by Parse and has no bytes")
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
