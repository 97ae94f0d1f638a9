package conninfo

import (
	"fmt"
	"strings"
)

// What a caller has in another form than a connection string.

// Of is settings with these values. An empty one is none.
func Of(values map[string]string) *Settings {
	s := &Settings{values: map[string]string{}}
	for keyword, value := range values {
		if value != "" {
			s.values[keyword] = value
		}
	}
	return s
}

// aboutTLS reports whether a keyword says how TLS is done. How it begins is another
// matter.
func aboutTLS(keyword string) bool {
	return strings.HasPrefix(keyword, "ssl") && keyword != "sslnegotiation"
}

// OnlyWithoutTLS refuses a connection string that says how TLS is done, for a caller
// who has said it otherwise. Call it before Complete.
func (s *Settings) OnlyWithoutTLS() error {
	for _, k := range Keywords {
		if aboutTLS(k.Name) && s.has(k.Name) {
			return fmt.Errorf("there is a TLS configuration, and the connection string has %s, too: leave one of them out", k.Name)
		}
	}
	return nil
}

// SetTLS replaces all that is said of TLS by as much as words can say of what is done:
// that there must be TLS, and whether the server is verified. Call it after Complete.
func (s *Settings) SetTLS(verified bool) {
	for _, k := range Keywords {
		if aboutTLS(k.Name) {
			delete(s.values, k.Name)
		}
	}
	s.values["sslmode"] = "require"
	if verified {
		s.values["sslmode"] = "verify-full"
	}
}
