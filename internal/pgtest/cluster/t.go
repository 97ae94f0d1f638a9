package cluster

// T is the part of testing.T that this package needs. *testing.T and
// *testing.B implement it, and so can a program. Fatalf must not return.
type T interface {
	Helper()
	Name() string
	Logf(format string, args ...any)
	Fatalf(format string, args ...any)
	Failed() bool
	Cleanup(func())
}
