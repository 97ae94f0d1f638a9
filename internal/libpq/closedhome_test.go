package libpq_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/libpq"
	"github.com/gorewind/gorewind/source"
)

// As with sudo without -H: HOME is another user's directory. The behaviour of libpq of 17
// was tested with psql: it treats root.crt, root.crl and the service file as
// missing, and verify-ca fails.
func TestAHomeDirectoryThatMayNotBeEntered(t *testing.T) {
	home, service := t.TempDir(), t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(home, ".postgresql"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(service, "pg_service.conf"), []byte("[s]\nport=1\n"), 0o600))
	open := filepath.Join(t.TempDir(), "root.crt")
	content, err := os.ReadFile("testdata/root.crt")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(open, content, 0o600))
	closed := filepath.Join(home, "ca.crt")
	require.NoError(t, os.WriteFile(closed, content, 0o600))
	require.NoError(t, os.Chmod(home, 0))
	t.Cleanup(func() { assert.NoError(t, os.Chmod(home, 0o700)) }) //nolint:gosec // a directory
	if _, err := os.Stat(closed); err == nil {
		t.Skip("this user enters every directory: run this as an ordinary user")
	}
	environment := map[string]string{"HOME": home, "PGSYSCONFDIR": service}
	for _, tt := range []struct{ name, conninfo, wrong string }{
		{"allow", "sslmode=allow", ""},
		{"prefer", "sslmode=prefer", ""},
		{"require", "sslmode=require", ""},
		{"verify-ca", "sslmode=verify-ca", "root certificate file"},
		{"verify-full", "sslmode=verify-full", "root certificate file"},
		{"verify-ca by an authority that can be read", "sslmode=verify-ca sslrootcert=" + open, ""},
		{"an authority that was asked for", "sslmode=require sslrootcert=" + closed, "permission denied"},
		{"a client certificate that was asked for", "sslmode=require sslcert=" + closed, "permission denied"},
		{"a service of the system", "service=s", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := libpq.New("host=db.test user=u "+tt.conninfo, libpq.Options{Getenv: func(name string) string { return environment[name] }})
			if tt.wrong == "" {
				assert.NoError(t, err)
				return
			}
			assert.ErrorContains(t, err, tt.wrong)
			assert.ErrorIs(t, err, source.ErrConnString)
		})
	}
}
