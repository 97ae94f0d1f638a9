package smalldisk

import (
	"fmt"
	"syscall"
)

// Mount mounts a file system in memory, which only the calling thread
// and the processes that it starts see, and which ends with them.
func Mount(dir string, uid, gid int) error {
	if err := syscall.Unshare(syscall.CLONE_NEWNS); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	options := fmt.Sprintf("size=%d,mode=700,uid=%d,gid=%d", Bytes, uid, gid)
	if err := syscall.Mount("gorewind-test", dir, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, options); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	return nil
}

// Unmount unmounts it.
func Unmount(dir string) { _ = syscall.Unmount(dir, syscall.MNT_DETACH) }
