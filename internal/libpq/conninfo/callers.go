package conninfo

import (
	"fmt"
	"strings"
)

// What a caller supplies in other forms than a connection string.

// Of returns settings with these values. An empty value counts as unset.
func Of(values map[string]string) *Settings {
	s := &Settings{values: map[string]string{}}
	for keyword, value := range values {
		if value != "" {
			s.values[keyword] = value
		}
	}
	return s
}

// aboutTLS reports whether a keyword configures TLS itself, as opposed to how it is
// negotiated.
func aboutTLS(keyword string) bool {
	return strings.HasPrefix(keyword, "ssl") && keyword != "sslnegotiation"
}

// OnlyWithoutTLS refuses a connection string that configures TLS, for a caller
// that has configured it otherwise. Call it before Complete.
func (s *Settings) OnlyWithoutTLS() error {
	for _, k := range Keywords {
		if aboutTLS(k.Name) && s.has(k.Name) {
			return fmt.Errorf("there is a TLS configuration, and the connection string also has %s: remove one of them", k.Name)
		}
	}
	return nil
}

// SetTLS replaces all TLS settings with as much as keywords can express of the caller's
// configuration: that TLS is required, and whether the server is verified. Call it after Complete.
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
