package pgsource

import "github.com/gorewind/gorewind/internal/libpq/conninfo"

// Quote quotes any value so that it can stand after "keyword=" in a connection string:
// "password=" + Quote(password). It quotes as libpq requires, which differs from
// SQL, a shell or a URI.
func Quote(value string) string { return conninfo.Quote(value) }
