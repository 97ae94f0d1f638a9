package scratch

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// Run is the directory of everything that this process creates: clusters,
// sockets and the tests' own temporary directories.
var Run = sync.OnceValues(func() (string, error) {
	temp := os.TempDir()
	if len(temp) > MaxTempDir {
		temp = "/tmp"
	}
	d, err := New(temp, "gorewind-run-")
	if err != nil {
		return "", err
	}
	remove(d.remove)
	// For t.TempDir, and for libraries that leave files behind.
	return d.Path, os.Setenv("TMPDIR", d.Path)
})

var (
	cleaned sync.Once
	atEnd   struct {
		sync.Mutex
		stop, remove []func()
	}
)

// Before adds a function that CleanUp calls before it removes directories, to stop what writes
// there.
func Before(stop func()) {
	atEnd.Lock()
	defer atEnd.Unlock()
	atEnd.stop = append(atEnd.stop, stop)
}

func remove(do func()) {
	atEnd.Lock()
	defer atEnd.Unlock()
	atEnd.remove = append(atEnd.remove, do)
}

// CleanUp stops every server that this process started and removes what it left
// on disk. pgtest.Main calls it; a program does so at its end and when interrupted.
func CleanUp() {
	cleaned.Do(func() {
		for _, list := range []*[]func(){&atEnd.stop, &atEnd.remove} {
			atEnd.Lock()
			todo := *list
			atEnd.Unlock()
			for _, do := range todo {
				do()
			}
		}
	})
}

// CleanUpOnSignal makes an interrupted or terminated process clean up and exit
// with the usual status for the signal.
func CleanUpOnSignal() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		s := <-signals
		signal.Stop(signals) // a second signal kills
		CleanUp()
		n, _ := s.(syscall.Signal)
		os.Exit(128 + int(n))
	}()
}
