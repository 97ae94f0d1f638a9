package conninfo

import (
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strings"
)

// Environment is the source of defaults.
type Environment struct {
	Lookup func(name string) (string, bool) // environment variables
	Home   string                           // the user's home directory; empty: none
	User   func() string                    // the name of the user of this process; empty if unknown
}

// System is the environment of this process. If getenv is not nil, it replaces the
// environment variables, and an empty value counts as unset.
func System(getenv func(name string) string) Environment {
	env := Environment{Lookup: os.LookupEnv, User: systemUser}
	if getenv != nil {
		env.Lookup = func(name string) (string, bool) {
			value := getenv(name)
			return value, value != ""
		}
	}
	if runtime.GOOS == "windows" {
		if dir, _ := env.Lookup("APPDATA"); dir != "" {
			env.Home = filepath.Join(dir, "postgresql")
		}
		return env
	}
	if env.Home, _ = env.Lookup("HOME"); env.Home == "" {
		if u, err := user.Current(); err == nil {
			env.Home = u.HomeDir
		}
	}
	return env
}

func systemUser() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.Username[strings.LastIndexByte(u.Username, '\\')+1:] // Windows has DOMAIN\user
}

// homeFile is a file in the user's home directory: by convention, its name starts
// with a dot or has another extension, except on Windows.
func (env Environment) homeFile(unix, windows string) string {
	switch {
	case env.Home == "":
		return ""
	case runtime.GOOS == "windows":
		return filepath.Join(env.Home, windows)
	default:
		return filepath.Join(env.Home, unix)
	}
}

// CertificateFile is the path of a file that libpq looks for in ~/.postgresql, such
// as "root.crt". It is empty without a home directory.
func (env Environment) CertificateFile(name string) string {
	return env.homeFile(filepath.Join(".postgresql", name), name)
}

// Complete sets the keywords that have no value: from the service, if one
// is named, then from the environment, then from libpq's own defaults.
func (s *Settings) Complete(env Environment) error {
	if err := s.addService(env); err != nil {
		return err
	}
	defaultMode := !s.has("sslmode")
	for _, k := range Keywords {
		if k.Env == "" || s.has(k.Name) {
			continue
		}
		if value, ok := env.Lookup(k.Env); ok {
			s.values[k.Name] = value
			defaultMode = defaultMode && k.Name != "sslmode"
		}
	}
	if old, _ := env.Lookup("PGREQUIRESSL"); defaultMode && strings.HasPrefix(old, "1") {
		s.values["sslmode"] = "require"
	} else if defaultMode && s.Value("sslrootcert") == "system" {
		s.values["sslmode"] = "verify-full"
	}
	for _, k := range Keywords {
		if k.Default != "" {
			s.setDefault(k.Name, k.Default)
		}
	}
	if s.Value("user") == "" {
		s.values["user"] = env.User()
	}
	if s.Value("dbname") == "" {
		s.values["dbname"] = s.Value("user")
	}
	if s.Value("password") == "" && s.Value("passfile") == "" {
		s.values["passfile"] = env.homeFile(".pgpass", "pgpass.conf")
	}
	return nil
}

// DatabaseName is the database named by the connection string or, failing that, by
// the environment, including a service that PGSERVICE names; empty if
// none is. PostgreSQL 18 and later write it with -R
// (GetDbnameFromConnectionOptions in streamutil.c).
func DatabaseName(given *Settings, env Environment) string {
	if name := given.Value("dbname"); name != "" {
		return name
	}
	defaults := &Settings{values: map[string]string{}}
	if defaults.addService(env) == nil && defaults.has("dbname") {
		return defaults.Value("dbname")
	}
	name, _ := env.Lookup("PGDATABASE")
	return name
}
