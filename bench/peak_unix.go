//go:build unix

package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// maxrss is the peak of resident memory in bytes.
func maxrss(u *syscall.Rusage) int64 {
	if runtime.GOOS == "darwin" {
		return u.Maxrss
	}
	return u.Maxrss << 10
}

// peakOf is the peak of a process that has ended, or, if that was higher, its parent's
// peak when it was started.
func peakOf(state *os.ProcessState) int64 {
	u, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	return maxrss(u)
}

// ownPeak is the peak of this process.
func ownPeak() int64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return maxrss(&u)
}

// watch observes a running process until the returned function is called, which
// returns the highest peak and the most bytes that the process had written.
// The system's own count of bytes written to disks is higher: it treats adjacent pages as
// changed together. Both are zero outside of Linux.
func watch(pid int) func() (peak, written int64) {
	stop, ended := make(chan struct{}), make(chan struct{})
	var peak, written int64
	go func() {
		defer close(ended)
		for tick := time.NewTicker(3 * time.Millisecond); ; {
			select {
			case <-stop:
				tick.Stop()
				return
			case <-tick.C:
				peak = max(peak, proc(pid, "status", "VmHWM:")<<10)
				written = max(written, proc(pid, "io", "wchar:"))
			}
		}
	}()
	return func() (int64, int64) { close(stop); <-ended; return peak, written }
}

// proc is a number that Linux reports about a process.
func proc(pid int, file, name string) (n int64) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	_, rest, _ := strings.Cut(string(text), name)
	_, _ = fmt.Sscan(rest, &n)
	return n
}
