package pgtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/gorewind/gorewind/internal/pgtest/cluster"
	"github.com/gorewind/gorewind/internal/pgtest/download"
	"github.com/gorewind/gorewind/internal/pgtest/servers"
)

// What the tests ran with, and what they missed.
var used = struct {
	sync.Mutex
	servers map[*cluster.Installation]bool
	missing map[string]error
	notes   []string
}{servers: map[*cluster.Installation]bool{}, missing: map[string]error{}}

func noteUsed(in *cluster.Installation) {
	used.Lock()
	defer used.Unlock()
	used.servers[in] = true
}

func noteMissing(what string, err error) {
	used.Lock()
	defer used.Unlock()
	used.missing[what] = err
}

// Note adds to the line that is printed at the end of a package's tests, whatever
// options go test was given.
func Note(line string) {
	used.Lock()
	defer used.Unlock()
	used.notes = append(used.notes, line)
}

// summary is empty if no test used a server or noted something.
func summary() string {
	used.Lock()
	defer used.Unlock()
	var plain, genuine, missing []string
	for _, in := range servers.ByVersion(slices.Collect(maps.Keys(used.servers))) {
		if in.Genuine {
			genuine = append(genuine, in.Full)
		} else {
			plain = append(plain, in.Full)
		}
	}
	byReason := map[string][]string{}
	for what, err := range used.missing {
		reason := err.Error()
		if _, short, ok := strings.Cut(reason, download.ErrUnavailable.Error()+": "); ok {
			reason = short
		}
		byReason[reason] = append(byReason[reason], what)
	}
	for _, reason := range slices.Sorted(maps.Keys(byReason)) {
		slices.Sort(byReason[reason])
		missing = append(missing, fmt.Sprintf("%s (%s)", strings.Join(byReason[reason], ", "), reason))
	}
	var parts []string
	for _, p := range []struct {
		what string
		list []string
	}{
		{"ran with PostgreSQL ", plain},
		{"ran with PostgreSQL and all its programs ", genuine},
		{"without ", missing},
	} {
		if len(p.list) > 0 {
			parts = append(parts, p.what+strings.Join(p.list, ", "))
		}
	}
	slices.Sort(used.notes)
	parts = append(parts, used.notes...)
	if len(parts) == 0 {
		return ""
	}
	return "pgtest: " + strings.Join(parts, "; ")
}
