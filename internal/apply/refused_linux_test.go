package apply_test

import (
	"bytes"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe" //nolint:depguard // the kernel takes a pointer

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/internal/apply/faultdisk"
	"github.com/gorewind/gorewind/internal/ownfiles"
	"github.com/gorewind/gorewind/pgdata"
)

// refusedEnv and readOnlyEnv tell this program, when it runs itself again, what is
// refused.
const (
	refusedEnv  = "GOREWIND_TEST_REFUSED"
	readOnlyEnv = "GOREWIND_TEST_READONLY"
)

// runAgain runs one test of this program in a process of its own.
func runAgain(t *testing.T, env string, attr *syscall.SysProcAttr) (output string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.count=1")
	cmd.Env, cmd.SysProcAttr = append(os.Environ(), env), attr
	b, err := cmd.CombinedOutput()
	return string(b), err
}

// refuse makes system calls fail in all threads of this process, as a container's
// seccomp(2) profile does.
func refuse(t *testing.T, errno syscall.Errno, numbers ...uint32) {
	t.Helper()
	program := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}} // load the system call's number
	for i, n := range numbers {
		program = append(program, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: uint8(len(numbers) - i), K: n})
	}
	program = append(program,
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(errno)})
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		t.Skipf("no system calls can be refused here, which takes a kernel with seccomp filters: %v", err)
	}
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	_, _, got := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog)))
	if got != 0 {
		t.Skipf("no system calls can be refused here, which takes a kernel with seccomp filters: %v", got)
	}
}

// TestRewindsDoWithoutWhatTheSystemRefuses refuses all system calls that gorewind
// can do without, in a process of its own for each error.
func TestRewindsDoWithoutWhatTheSystemRefuses(t *testing.T) {
	errno, err := strconv.Atoi(os.Getenv(refusedEnv))
	if err != nil {
		for _, errno := range []syscall.Errno{unix.EPERM, unix.ENOSYS, unix.EINVAL, unix.EOPNOTSUPP} {
			out, err := runAgain(t, refusedEnv+"="+strconv.Itoa(int(errno)), nil)
			require.NoError(t, err, "%v: %s", errno, out)
			if strings.Contains(out, "SKIP") {
				t.Skip(out)
			}
		}
		return
	}
	const page = 8192
	large := strings.Repeat("large", 1<<20)
	from := open(t, large)
	refuse(t, syscall.Errno(errno), unix.SYS_STATX, unix.SYS_COPY_FILE_RANGE, unix.SYS_FALLOCATE, unix.SYS_FLOCK, unix.SYS_SYNCFS, unix.SYS_SYNC_FILE_RANGE,
		unix.SYS_LINKAT, unix.SYS_FLISTXATTR, unix.SYS_FGETXATTR, unix.SYS_FSETXATTR, unix.SYS_FREMOVEXATTR, unix.SYS_FCHMODAT, unix.SYS_FCHMODAT2, unix.SYS_STATFS)
	require.ErrorIs(t, unix.Statx(unix.AT_FDCWD, ".", 0, 0, new(unix.Statx_t)), syscall.Errno(errno), "they are refused")
	for name, mode := range map[string]apply.SyncMode{"one by one": {}, "file systems": {FileSystem: true}, "everything": {FileSystem: true, Everything: true}} {
		dir, control := newDirectory(t, map[string]string{"base/5/1": strings.Repeat("o", 5*page), "base/5/2": strings.Repeat("o", 3*page), "gone": "x", "conf": "old"})
		var log bytes.Buffer
		tgt, err := apply.Open(dir, nil)
		require.NoError(t, err, name)
		tgt.LogTo(slog.New(slog.NewTextHandler(&log, nil)))
		blocks := new(pgdata.BlockSet)
		blocks.Add(1)
		p := plan(
			filemap.Entry{Path: "base/7", Type: pgdata.Directory, Action: filemap.Create}, copyOf("base/7/1", int64(len(large))), copyOf("conf", 3),
			filemap.Entry{Path: "base/5/1", Type: pgdata.Regular, Action: filemap.CopyTail, SourceSize: 6 * page, TargetSize: 5 * page, Blocks: blocks},
			filemap.Entry{Path: "base/5/2", Type: pgdata.Regular, Action: filemap.Truncate, SourceSize: page, TargetSize: 3 * page},
			filemap.Entry{Path: "gone", Type: pgdata.Regular, Action: filemap.Remove},
		)
		require.NoError(t, tgt.Check(p, pgdata.VersionByName("17")), name)
		s, err := tgt.Stage(t.Context(), p, control, apply.Options{Sync: mode})
		require.NoError(t, err, name)
		n, err := s.CopyFrom("base/7/1", from, 0, int64(len(large)))
		require.NoError(t, err, name)
		assert.EqualValues(t, len(large), n)
		require.NoError(t, s.WriteAt("conf", []byte("new"), 0))
		require.NoError(t, s.WriteAt("base/5/1", make([]byte, page), page))
		require.NoError(t, s.WriteAt("base/5/1", make([]byte, page), 5*page))
		finish(t, tgt, s, control)
		assert.True(t, large == read(t, tgt, "base/7/1"), name)
		assert.True(t, strings.Repeat("o", page)+strings.Repeat("\x00", page)+strings.Repeat("o", 3*page)+strings.Repeat("\x00", page) == read(t, tgt, "base/5/1"), name)
		assert.Len(t, read(t, tgt, "base/5/2"), page, name)
		assert.NoFileExists(t, tgt.Join("gone"), name)
		assert.NoDirExists(t, tgt.Join(ownfiles.Prefix), name)
		assert.NoFileExists(t, tgt.Join(pgdata.PostmasterPid), name)
		assert.Equal(t, mode.FileSystem, strings.Contains(log.String(), "fsynced one by one"), log.String())
		require.NoError(t, tgt.Close())
		status, err := apply.Inspect(dir)
		require.NoError(t, err, name)
		assert.False(t, status.Locked)
	}
}

// TestDirectoriesThatCannotBeFsyncedAreLoggedOnce refuses fsync of directories, and
// then fsync of files, which must be an error.
func TestDirectoriesThatCannotBeFsyncedAreLoggedOnce(t *testing.T) {
	for _, errno := range []syscall.Errno{unix.EINVAL, unix.EPERM, unix.ENOSYS, unix.EBADF, unix.EISDIR, unix.EIO} {
		for _, ofFiles := range []bool{false, true} {
			var log bytes.Buffer
			tgt, control := watch(t, map[string]string{"conf": "old"}, func(dir string, op faultdisk.Op) error {
				info, err := os.Lstat(filepath.Join(dir, op.Path))
				if op.Name == "sync" && err == nil && info.IsDir() != ofFiles {
					return &os.PathError{Op: "fsync", Path: op.Path, Err: errno}
				}
				return nil
			})
			tgt.LogTo(slog.New(slog.NewTextHandler(&log, nil)))
			err := func() error {
				s, err := tgt.Stage(t.Context(), plan(copyOf("conf", 3)), control, apply.Options{})
				if err != nil {
					return err
				}
				defer s.Discard()
				require.NoError(t, s.WriteAt("conf", []byte("new"), 0))
				_, err = s.Commit(t.Context(), control, apply.Final{Control: newControl(t, control)})
				return err
			}()
			if ofFiles || errno == unix.EIO {
				require.ErrorIs(t, err, errno, "of files: %t", ofFiles)
				assert.False(t, tgt.Poisoned())
				continue
			}
			require.NoError(t, err, errno)
			assert.Equal(t, 1, strings.Count(log.String(), "cannot be fsynced"), log.String())
			j, err := tgt.Journal()
			require.NoError(t, err)
			require.NoError(t, tgt.Finish(t.Context(), j, false))
		}
	}
}

// TestAReadOnlyTargetCanBeInspected mounts a target read-only, in a process with its
// own mounts.
func TestAReadOnlyTargetCanBeInspected(t *testing.T) {
	dir := os.Getenv(readOnlyEnv)
	if dir == "" {
		dir, _ := newDirectory(t, map[string]string{"conf": "old", "gone": "x", pgdata.PostmasterPid: "1\n/\n1\ngorewind\n"})
		out, err := runAgain(t, readOnlyEnv+"="+dir, &syscall.SysProcAttr{
			Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}},
			AmbientCaps: []uintptr{unix.CAP_SYS_ADMIN},
		})
		if err != nil && out == "" {
			t.Skipf("this takes user namespaces, which are switched off here (user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns): %v", err)
		}
		require.NoError(t, err, out)
		return
	}
	require.NoError(t, unix.Mount(dir, dir, "", unix.MS_BIND, ""))
	require.NoError(t, unix.Mount("", dir, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	require.ErrorIs(t, os.WriteFile(filepath.Join(dir, "x"), nil, 0o600), unix.EROFS)
	require.NoError(t, os.Chdir(dir)) // enters the mount, not the directory below it

	status, err := apply.Inspect(dir)
	require.NoError(t, err)
	assert.False(t, status.Locked)
	tgt, err := apply.Open(dir, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, tgt.Close()) }()
	p := plan(copyOf("conf", 3), copyOf("new", 3), filemap.Entry{Path: "gone", Type: pgdata.Regular, Action: filemap.Remove})
	require.NoError(t, tgt.Check(p, pgdata.VersionByName("17")), "a dry run works")
	control, err := tgt.ControlFile()
	require.NoError(t, err)
	_, err = tgt.Stage(t.Context(), p, control, apply.Options{})
	require.ErrorIs(t, err, unix.EROFS, "but nothing can be written")
	var refused *apply.AccessError
	require.ErrorAs(t, err, &refused)
}
