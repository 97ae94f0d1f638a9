package apply_test

import (
	"testing"

	"github.com/gorewind/gorewind/internal/pgtest"
)

// If started by root, these tests run as an unprivileged user, for whom permissions
// count.
func TestMain(m *testing.M) { pgtest.Main(m) }
