//go:build !linux

package pgsource_test

import (
	"net"
	"testing"
)

// assertSocket is for Linux.
func assertSocket(*testing.T, net.Conn, int, int, int, int) {}
