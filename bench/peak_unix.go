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

// peakOf is that of a process that has ended, or of its parent when it was
// started if that was higher.
func peakOf(state *os.ProcessState) int64 {
	u, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	return maxrss(u)
}

// ownPeak is that of this process.
func ownPeak() int64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return maxrss(&u)
}

// watchPeak looks at a process that runs until the returned function is called,
// which returns the highest peak seen. It is zero outside of Linux.
func watchPeak(pid int) func() int64 {
	stop, result := make(chan struct{}), make(chan int64)
	go func() {
		highest := int64(0)
		for tick := time.NewTicker(3 * time.Millisecond); ; {
			select {
			case <-stop:
				tick.Stop()
				result <- highest
				return
			case <-tick.C:
				text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
				_, rest, _ := strings.Cut(string(text), "VmHWM:")
				var kB int64
				_, _ = fmt.Sscan(rest, &kB)
				highest = max(highest, kB<<10)
			}
		}
	}()
	return func() int64 { close(stop); return <-result }
}
