package pgtest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/gorewind/gorewind/internal/pgtest/download"
)

func TestTheSummaryGroupsWhatIsMissingByReason(t *testing.T) {
	used.Lock()
	servers, missing := used.servers, used.missing
	used.servers = map[*Installation]bool{}
	used.missing = map[string]error{
		"9.6":             fmt.Errorf("PostgreSQL 9.6 is %w: %w", download.ErrUnavailable, errors.New("no network")),
		"10":              fmt.Errorf("PostgreSQL 10 is %w: %w", download.ErrUnavailable, errors.New("no network")),
		"pg_rewind of 13": errors.New("no apt"),
	}
	used.Unlock()
	got := summary()
	used.Lock()
	used.servers, used.missing = servers, missing
	used.Unlock()
	assert.Equal(t, "pgtest: without pg_rewind of 13 (no apt), 10, 9.6 (no network)", got)
}
