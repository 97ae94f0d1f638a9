//go:build !linux

package main

import (
	"os"
	"testing"
)

func openTerminal(t *testing.T) (terminal *os.File, text func() string) {
	t.Helper()
	t.Skip("pseudo terminals are made in another way on every system; this knows Linux's, run it there")
	return nil, nil
}
