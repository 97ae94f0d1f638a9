//go:build unix

package regular

import "syscall"

// NoWaiting are flags with which opening returns at once, whatever is opened, and a
// terminal becomes nobody's. For regular files they change nothing.
const NoWaiting = syscall.O_NONBLOCK | syscall.O_NOCTTY
