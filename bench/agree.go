package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gorewind/gorewind/internal/pgtest/cluster"
)

// sampled is how many tables of a database are compared, at least.
const sampled = 50

// contents is a digest of a server's content: by database, the list of relations
// and the rows of tables, of all or of evenly distributed ones.
func contents(t *scope, c *cluster.Cluster) map[string]string {
	all := map[string]string{}
	for _, row := range c.QueryRows(t, "SELECT datname FROM pg_database WHERE datallowconn") {
		db := row[0]
		all[db+" relations"] = c.QueryStringIn(t, db,
			"SELECT md5(string_agg(oid || ' ' || relname || ' ' || relfilenode, '|' ORDER BY oid)) FROM pg_class")
		tables := c.QueryRowsIn(t, db, "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY oid")
		var sums []string
		step := max(1, len(tables)/sampled)
		for i, table := range tables {
			if i%step == 0 || i < 5 { // the first ones are the changed ones
				sums = append(sums, fmt.Sprintf("SELECT '%[1]s', count(*), sum(hashtext(x::text)::bigint) FROM public.%[1]s x", table[0]))
			}
		}
		if len(sums) > 0 {
			for _, sum := range c.QueryRowsIn(t, db, strings.Join(sums, " UNION ALL ")) {
				all[db+"."+sum[0]] = sum[1] + " rows, " + sum[2]
			}
		}
	}
	return all
}

// compare returns the first difference. It also checks that there is something to compare.
func compare(want, got map[string]string) string {
	both := maps.Clone(want)
	maps.Copy(both, got)
	for _, name := range slices.Sorted(maps.Keys(both)) {
		if want[name] != got[name] {
			return fmt.Sprintf("%s: %q, %q", name, want[name], got[name])
		}
	}
	if _, ok := want["postgres.sides"]; !ok {
		return "table sides is missing"
	}
	return ""
}
