package wal_test

import (
	"testing"

	"github.com/gorewind/gorewind/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }
