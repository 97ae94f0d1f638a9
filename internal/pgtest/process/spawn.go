package process

import (
	"os/exec"
	"runtime"
	"sync"
)

// Spawn starts commands from one thread that never ends: the kernel signals the
// servers when the thread that started them ends.
var Spawn = sync.OnceValue(func() func(*exec.Cmd) error {
	type request struct {
		cmd   *exec.Cmd
		reply chan error
	}
	requests := make(chan request)
	go func() {
		runtime.LockOSThread()
		for r := range requests {
			r.reply <- r.cmd.Start()
		}
	}()
	return func(cmd *exec.Cmd) error {
		r := request{cmd, make(chan error)}
		requests <- r
		return <-r.reply
	}
})
