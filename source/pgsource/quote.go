package pgsource

import "github.com/gorewind/gorewind/internal/libpq/conninfo"

// Quote writes a value as it can stand behind "keyword=" in a connection string,
// whatever is in it: "password=" + Quote(password). It is as libpq wants it, which is not
// how SQL, a shell or a URI does.
func Quote(value string) string { return conninfo.Quote(value) }
