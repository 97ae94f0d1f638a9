package cluster

// T is what the functions of this package need of a test. *testing.T and
// *testing.B satisfy it, and so can a program. Fatalf must not return.
type T interface {
	Helper()
	Name() string
	Logf(format string, args ...any)
	Fatalf(format string, args ...any)
	Failed() bool
	Cleanup(func())
}
