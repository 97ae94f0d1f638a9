package apply_test

import (
	"testing"

	"github.com/gorewind/gorewind/internal/pgtest"
)

// As root, these tests run as an unprivileged user, whom permissions stop.
func TestMain(m *testing.M) { pgtest.Main(m) }
