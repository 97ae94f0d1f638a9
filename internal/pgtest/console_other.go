//go:build !linux

package pgtest

import "os"

const envConsole = "GOREWIND_TEST_CONSOLE"

func openConsole() *os.File { return nil }
