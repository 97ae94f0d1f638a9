package decide

import "fmt"

// presets are groups of patterns under one name, which begins with "@".
var presets = map[string]Patterns{
	// The configuration of a server, written by itself and by tools, and
	// the certificates with which it identifies itself.
	"@config": {
		"postgresql.conf", "postgresql.auto.conf", "postgresql.base.conf", "pg_hba.conf", "pg_ident.conf", "pg_hosts.conf", "conf.d",
		"*.crt", "*.key", "*.crl", "*.pem",
	},
}

// Expand replaces the names of presets with their patterns.
func (p Patterns) Expand() (Patterns, error) {
	var all Patterns
	for _, pattern := range p {
		if len(pattern) == 0 || pattern[0] != '@' {
			all = append(all, pattern)
			continue
		}
		preset, known := presets[pattern]
		if !known {
			return nil, fmt.Errorf("unknown name %q for files to keep: use @config, or begin a pattern for names that begin with \"@\" with \"[@]\"", pattern)
		}
		all = append(all, preset...)
	}
	return all, nil
}
