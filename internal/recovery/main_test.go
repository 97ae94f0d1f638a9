package recovery_test

import (
	"testing"

	"github.com/gorewind/gorewind/internal/pgtest"
)

// As root, these tests run as an unprivileged user, as servers must.
func TestMain(m *testing.M) { pgtest.Main(m) }
