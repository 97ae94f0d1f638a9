package conninfo

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// systemServiceDirs contain pg_service.conf if PGSYSCONFDIR does not name another
// directory: one of them is compiled into libpq, depending on who built it.
var systemServiceDirs = []string{"/etc/postgresql-common", "/etc/sysconfig/pgsql", "/etc", "/usr/local/pgsql/etc"}

// addService adds the settings of the service, if one is named.
func (s *Settings) addService(env Environment) error {
	service, named := s.values["service"]
	if !named {
		if service, named = env.Lookup("PGSERVICE"); !named {
			return nil
		}
		s.values["service"] = service
	}
	for _, file := range s.serviceFiles(env) {
		if _, err := os.Stat(file.name); err != nil && file.optional {
			continue // missing, or in a directory that may not be entered
		}
		content, err := os.ReadFile(file.name)
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf(`service file "%s" not found`, file.name)
			}
			return fmt.Errorf(`service file "%s" could not be read: %w`, file.name, err)
		}
		found, err := s.addSection(file.name, string(content), service)
		if found || err != nil {
			return err
		}
	}
	return fmt.Errorf(`definition of service "%s" not found`, service)
}

type serviceFile struct {
	name     string
	optional bool
}

func (s *Settings) serviceFiles(env Environment) []serviceFile {
	var files []serviceFile
	name, given := s.values["servicefile"]
	if !given {
		name, given = env.Lookup("PGSERVICEFILE")
	}
	if given {
		files = append(files, serviceFile{name, false})
	} else if name = env.homeFile(".pg_service.conf", ".pg_service.conf"); name != "" {
		files = append(files, serviceFile{name, true})
	}
	dirs := systemServiceDirs
	if dir, ok := env.Lookup("PGSYSCONFDIR"); ok {
		dirs = []string{dir}
	}
	for _, dir := range dirs {
		files = append(files, serviceFile{filepath.Join(dir, "pg_service.conf"), true})
	}
	return files
}

// addSection reads one section of a service file. Values that are already set are kept.
func (s *Settings) addSection(file, content, service string) (found bool, err error) {
	number := 0
	for line := range strings.Lines(content) {
		number++
		line = strings.Trim(line, spaces)
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			if found {
				return true, nil
			}
			if found = strings.HasPrefix(line[1:], service+"]"); found {
				s.setDefault("servicefile", file)
			}
		case found:
			keyword, value, ok := strings.Cut(line, "=")
			switch {
			case ok && (keyword == "service" || keyword == "servicefile"):
				return true, fmt.Errorf(`nested %s specifications not supported in service file "%s", line %d`, keyword, file, number)
			case strings.HasPrefix(line, "ldap"):
				return true, fmt.Errorf(`service file "%s", line %d: looking up services by LDAP is not supported`, file, number)
			case !ok || find(keyword) == nil:
				return true, fmt.Errorf(`syntax error in service file "%s", line %d`, file, number)
			}
			s.setDefault(keyword, value)
		}
	}
	return found, nil
}
