//go:build !unix

package unprivileged

// Tests does nothing on this system.
func Tests() (code int, done bool) { return 0, false }

// Program does nothing on this system.
func Program() (code int, done bool, err error) { return 0, false, nil }

// ProgramWith does nothing on this system.
func ProgramWith(RootTasks) (code int, done bool, err error) { return 0, false, nil }
