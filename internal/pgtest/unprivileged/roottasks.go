package unprivileged

// RootTasks are what root does for a program that ProgramWith runs again.
type RootTasks struct {
	// Genuine makes root install the genuine programs of the majors that
	// GOREWIND_TEST_MAJORS names.
	Genuine bool
	// Outputs are files to write, by the name of the flag that sets them. The
	// program must have no operands.
	Outputs map[string]string
}
