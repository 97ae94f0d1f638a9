//go:build !unix

package lockfile

// Lock always succeeds: servers are not run on this system.
func Lock(string) (unlock func(), err error) { return func() {}, nil }

// TryLock never takes a lock.
func TryLock(string) (unlock func(), ok bool) { return nil, false }
