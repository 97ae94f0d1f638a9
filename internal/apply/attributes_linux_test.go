package apply_test

import (
	"bytes"
	"encoding/binary"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/pgdata"
)

const (
	accessList  = "system.posix_acl_access"
	defaultList = "system.posix_acl_default"
)

// readableFor is an access control list that lets another user read a file
// (linux/posix_acl_xattr.h).
func readableFor(uid uint32) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range []struct {
		tag, perm uint16
		id        uint32
	}{{1, 6, ^uint32(0)}, {2, 4, uid}, {4, 0, ^uint32(0)}, {16, 4, ^uint32(0)}, {32, 0, ^uint32(0)}} {
		b = binary.LittleEndian.AppendUint16(b, e.tag)
		b = binary.LittleEndian.AppendUint16(b, e.perm)
		b = binary.LittleEndian.AppendUint32(b, e.id)
	}
	return b
}

func attribute(t *testing.T, p, name string) []byte {
	t.Helper()
	b := make([]byte, 1<<16)
	n, err := unix.Getxattr(p, name, b)
	if err == unix.ENODATA { //nolint:errorlint // a bare errno
		return nil
	}
	require.NoError(t, err)
	return b[:n]
}

// TestReplacedFilesKeepTheirAttributes gives files extended attributes, access
// control lists and, if possible, another group.
func TestReplacedFilesKeepTheirAttributes(t *testing.T) {
	files := map[string]string{"pg_hba.conf": "old", "plain": "old", "base/5/1": strings.Repeat("o", 50*8192), "postgresql.auto.conf": "old"}
	tgt, control := newTarget(t, files)
	note := bytes.Repeat([]byte("x"), 3000)
	special := []string{"pg_hba.conf", "base/5/1", "postgresql.auto.conf", pgdata.ControlFilePath}
	groups, err := os.Getgroups()
	require.NoError(t, err)
	gid := os.Getegid()
	for _, other := range groups {
		if other != gid {
			gid = other
		}
	}
	if gid == os.Getegid() {
		t.Log("groups are not tested: this process has only one")
	}
	for _, p := range special {
		if err := unix.Setxattr(tgt.Join(p), "user.note", note, 0); err != nil {
			t.Skipf("the file system of %q has no extended attributes, set TMPDIR to one that has them: %v", tgt.Name(), err)
		}
		require.NoError(t, os.Chown(tgt.Join(p), -1, gid))
		if err := unix.Setxattr(tgt.Join(p), accessList, readableFor(12345), 0); err != nil {
			t.Skipf("the file system of %q has no access control lists, set TMPDIR to one that has them: %v", tgt.Name(), err)
		}
	}
	require.NoError(t, unix.Setxattr(tgt.Name(), defaultList, readableFor(54321), 0), "new files inherit it")

	s := stage(t, tgt, control, copyOf("pg_hba.conf", 3), copyOf("plain", 3), copyOf("new", 3),
		filemap.Entry{Path: "base/5/1", Type: pgdata.Regular, Action: filemap.CopyTail, SourceSize: 200 * 8192, TargetSize: 50 * 8192})
	for _, p := range []string{"pg_hba.conf", "plain", "new"} {
		require.NoError(t, s.WriteAt(p, []byte("new"), 0))
	}
	require.NoError(t, s.WriteAt("base/5/1", []byte(strings.Repeat("n", 150*8192)), 50*8192))
	committed, err := s.Commit(t.Context(), control, apply.Final{
		Control: newControl(t, control), Files: []apply.SmallFile{{Path: "postgresql.auto.conf", Data: []byte("new")}},
	})
	require.NoError(t, err)
	require.True(t, committed)
	j, err := tgt.Journal()
	require.NoError(t, err)
	require.NoError(t, tgt.Finish(t.Context(), j, false))
	for _, p := range special {
		assert.Equal(t, note, attribute(t, tgt.Join(p), "user.note"), p)
		assert.Equal(t, readableFor(12345), attribute(t, tgt.Join(p), accessList), p)
		info, err := os.Stat(tgt.Join(p))
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o640), info.Mode().Perm(), p)
		assert.EqualValues(t, gid, info.Sys().(*syscall.Stat_t).Gid, p)
	}
	assert.Equal(t, "new", read(t, tgt, "pg_hba.conf"))
	assert.Equal(t, "new", read(t, tgt, "postgresql.auto.conf"))
	assert.Empty(t, attribute(t, tgt.Join("plain"), accessList), "a file without a list gets none")
}

// forgetful is a disk that keeps no attributes.
type forgetful struct{ apply.Disk }

func (forgetful) CopyAttributes(string, string) ([]apply.Loss, error) {
	return []apply.Loss{{What: "group", Err: unix.EPERM}, {What: "extended attribute user.x", Err: unix.ENOTSUP}}, nil
}

func TestLostAttributesAreLoggedOnce(t *testing.T) {
	dir, control := newDirectory(t, map[string]string{"a.conf": "old", "b.conf": "old"})
	tgt, err := apply.Open(dir, func(d apply.Disk) apply.Disk { return forgetful{d} })
	require.NoError(t, err)
	defer func() { require.NoError(t, tgt.Close()) }()
	var log bytes.Buffer
	tgt.LogTo(slog.New(slog.NewTextHandler(&log, nil)))
	s := stage(t, tgt, control, copyOf("a.conf", 3), copyOf("b.conf", 3), copyOf("new", 3))
	for _, p := range []string{"a.conf", "b.conf", "new"} {
		require.NoError(t, s.WriteAt(p, []byte("new"), 0))
	}
	finish(t, tgt, s, control)
	assert.Equal(t, 2, strings.Count(log.String(), "level=WARN"), log.String())
	assert.Contains(t, log.String(), "loses its group; other files may lose theirs, too: operation not permitted")
	assert.Contains(t, log.String(), "loses its extended attribute user.x")
}
