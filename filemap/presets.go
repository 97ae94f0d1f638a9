package filemap

import "fmt"

// presets are patterns that have one name together, which begins with "@".
var presets = map[string]Patterns{
	// What a server is told, by its own files and those of the tools that write them, and
	// the certificates with which it shows who it is.
	"@config": {
		"postgresql.conf", "postgresql.auto.conf", "postgresql.base.conf", "pg_hba.conf", "pg_ident.conf", "pg_hosts.conf", "conf.d",
		"*.crt", "*.key", "*.crl", "*.pem",
	},
}

// Expand puts patterns in the place of the names of presets.
func (p Patterns) Expand() (Patterns, error) {
	var all Patterns
	for _, pattern := range p {
		if len(pattern) == 0 || pattern[0] != '@' {
			all = append(all, pattern)
			continue
		}
		preset, known := presets[pattern]
		if !known {
			return nil, fmt.Errorf("there are no files to keep that are called %q: there is @config, and a pattern for names that begin with \"@\" begins with \"[@]\"", pattern)
		}
		all = append(all, preset...)
	}
	return all, nil
}
