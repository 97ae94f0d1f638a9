package catalog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
)

// The layout of the commit log: two bits for each transaction, in pages and files of
// this size (access/transam/clog.c, access/slru.h).
const (
	xactsPerByte = 4
	slruPages    = 32
	statusDone   = 1 // TRANSACTION_STATUS_COMMITTED
	firstNormal  = 3 // FirstNormalTransactionId
)

// status looks up the outcome of transactions in the commit log.
type status struct {
	c      *Cluster
	number uint32
	data   []byte // content of the file with that number; nil if it does not exist
	loaded bool
	err    error // the first error
}

// committed reports whether a transaction committed. If its file was removed, the
// transaction is so old that it did: all traces of others were removed before.
func (s *status) committed(xid uint32) bool {
	if xid < firstNormal {
		return xid != 0
	}
	if s.c.newer != nil {
		if committed, known := s.c.newer.Status(xid); known {
			return committed
		}
	}
	perFile := xactsPerByte * slruPages * s.c.geometry.BlockSize
	if n := xid / perFile; !s.loaded || n != s.number {
		s.load(n)
	}
	if s.data == nil {
		return true
	}
	at := xid % perFile
	if int(at/xactsPerByte) >= len(s.data) {
		return false
	}
	return s.data[at/xactsPerByte]>>(2*(at%xactsPerByte))&3 == statusDone
}

func (s *status) load(number uint32) {
	s.loaded, s.number, s.data = true, number, nil
	f, err := s.c.files.Open(path.Join(s.c.version.XactDir, fmt.Sprintf("%04X", number)))
	if err == nil {
		defer func() { _ = f.Close() }()
		s.data, err = readAll(f, int64(slruPages*s.c.geometry.BlockSize))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) && s.err == nil {
		s.err = err
	}
}

// readAll reads a file of at most the given size.
func readAll(f *os.File, most int64) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	b := make([]byte, min(info.Size(), most))
	_, err = f.ReadAt(b, 0)
	return b, err
}
