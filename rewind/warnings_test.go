package rewind_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/rewind"
)

// TestOnlySettingsThatAreKeptAreWarnedAbout gives the target a configuration with which it
// would not start as a standby of the source.
func TestOnlySettingsThatAreKeptAreWarnedAbout(t *testing.T) {
	p := restorePair(t, "18", "basic")
	p.configure("max_connections = 3\n")
	warnings := func(opts rewind.Options) []string {
		opts.TargetDir, opts.Source = p.target, endtoend.OpenDir(t, p.source)
		r, err := rewind.Prepare(t.Context(), opts)
		require.NoError(t, err)
		defer r.Close()
		var plan bytes.Buffer
		require.NoError(t, r.Save(&plan))
		require.NoError(t, r.Close())

		opts.Plan = &plan
		again, err := rewind.Prepare(t.Context(), opts)
		require.NoError(t, err)
		defer again.Close()
		assert.Equal(t, r.Plan().Warnings, again.Plan().Warnings, "of the saved plan")
		return r.Plan().Warnings
	}
	assert.Empty(t, warnings(rewind.Options{}), "the source's configuration comes")
	kept := warnings(rewind.Options{Keep: []string{"postgresql.conf"}})
	require.NotEmpty(t, kept)
	assert.Contains(t, kept[0], "max_connections = 3 is lower than on the primary")
}

// TestSettingsCopiedFromTheSourceAreWarnedAbout gives the source settings that
// only make sense in its own place.
func TestSettingsCopiedFromTheSourceAreWarnedAbout(t *testing.T) {
	p := restorePair(t, "18", "basic")
	p.configure("archive_command = 'own'\n")
	write := func(name, text string) { p.write(filepath.Join(p.source, name), []byte(text)) }
	write("postgresql.conf", "archive_mode = on\narchive_command = 'secret-command'\n")
	write("postgresql.auto.conf", "primary_conninfo = 'host=a password=secret'\nprimary_slot_name = 'a'\n")
	const connInfo, slot, archive = "primary_conninfo", "primary_slot_name", "archive_command"
	for _, c := range []struct {
		name string
		opts rewind.Options
		want []string
	}{
		{"all of it comes", rewind.Options{}, []string{connInfo, slot, archive}},
		{"it becomes a standby of the source", rewind.Options{PrimaryConnInfo: "host=b"}, []string{archive}},
		{"what ALTER SYSTEM wrote is kept", rewind.Options{Keep: []string{"postgresql.auto.conf"}}, []string{archive}},
		{"all configuration is kept", rewind.Options{Keep: []string{"@config"}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			opts := c.opts
			opts.TargetDir, opts.Source = p.target, endtoend.OpenDir(t, p.source)
			r, err := rewind.Prepare(t.Context(), opts)
			require.NoError(t, err)
			defer r.Close()
			var got []string
			for _, w := range r.Plan().Warnings {
				assert.NotContains(t, w, "secret")
				if rest, is := strings.CutPrefix(w, "the configuration that comes from the source sets "); is {
					name, _, _ := strings.Cut(rest, " ")
					got = append(got, name)
				}
			}
			assert.Equal(t, c.want, got)
		})
	}

	// If the command is the same, there is no warning.
	p.configure("archive_command = 'secret-command'\n")
	r, err := rewind.Prepare(t.Context(), rewind.Options{TargetDir: p.target, Source: endtoend.OpenDir(t, p.source), PrimaryConnInfo: "host=b"})
	require.NoError(t, err)
	defer r.Close()
	assert.NotContains(t, strings.Join(r.Plan().Warnings, "\n"), archive)
}

func TestConfigurationIsKeptByOneName(t *testing.T) {
	p := restorePair(t, "18", "basic")
	own := []string{"postgresql.conf", "postgresql.auto.conf", "pg_hba.conf", "pg_ident.conf", "conf.d/own.conf", "server.crt", "server.key", "root.crt"}
	for _, name := range own {
		p.write(filepath.Join(p.target, name), []byte("# own\n"))
		p.write(filepath.Join(p.source, name), []byte("# theirs\n"))
	}
	p.write(filepath.Join(p.source, "conf.d", "their.conf"), nil)
	p.write(filepath.Join(p.source, "other.txt"), nil)
	opts := rewind.Options{TargetDir: p.target, Source: endtoend.OpenDir(t, p.source), NoSync: true, Keep: []string{"@config"}}
	r, err := rewind.Prepare(t.Context(), opts)
	require.NoError(t, err)
	defer r.Close()
	require.NoError(t, r.Apply(t.Context()))
	for _, name := range own {
		b, err := os.ReadFile(filepath.Join(p.target, name))
		require.NoError(t, err)
		assert.Equal(t, "# own\n", string(b), name)
	}
	assert.NoFileExists(t, filepath.Join(p.target, "conf.d", "their.conf"))
	assert.FileExists(t, filepath.Join(p.target, "other.txt"))

	opts.Keep = []string{"@everything"}
	_, err = rewind.Prepare(t.Context(), opts)
	assert.ErrorIs(t, err, rewind.ErrOptions)
	assert.ErrorContains(t, err, "@config")
}
