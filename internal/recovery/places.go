package recovery

import (
	"os"
	"runtime"
	"strings"

	"github.com/gorewind/gorewind/pgdata"
)

// places are the bin directories that distributions use, most specific first:
// %v stands for the major, %n for its digits alone, such as 96.
var places = []string{
	"/usr/lib/postgresql/%v/bin",                       // Debian, Ubuntu
	"/usr/pgsql-%v/bin",                                // the PostgreSQL project's packages for Red Hat
	"/usr/lib/postgresql%n/bin",                        // SUSE
	"/usr/libexec/postgresql%n",                        // Alpine
	"/usr/lib64/postgresql-%v/bin",                     // Gentoo
	"/usr/lib/postgresql-%v/bin",                       // Gentoo
	"/opt/pgsql-%v/bin",                                // Arch, for upgrades
	"/opt/rh/rh-postgresql%n/root/usr/bin",             // Red Hat software collections
	"/usr/edb/as%v/bin",                                // EnterpriseDB
	"/opt/edb/as%v/bin",                                // EnterpriseDB
	"/opt/PostgreSQL/%v/bin",                           // EnterpriseDB's installer
	"/opt/homebrew/opt/postgresql@%v/bin",              // Homebrew on Apple silicon
	"/usr/local/opt/postgresql@%v/bin",                 // Homebrew on Intel
	"/home/linuxbrew/.linuxbrew/opt/postgresql@%v/bin", // Homebrew on Linux
	"/opt/local/lib/postgresql%n/bin",                  // MacPorts
	"/Applications/Postgres.app/Contents/Versions/%v/bin",
	"/Library/PostgreSQL/%v/bin",  // EnterpriseDB's installer
	"/opt/bitnami/postgresql/bin", // Bitnami's images
	"/usr/local/pgsql/bin",        // built from source
	"/usr/local/bin",              // FreeBSD, OpenBSD, official images on Alpine
	"/usr/bin",                    // Red Hat, Arch
	"/usr/lib/postgresql/bin",
	"/run/current-system/sw/bin", // NixOS
}

// windowsPlaces are below the directory of programs.
var windowsPlaces = []string{`\PostgreSQL\%v\bin`, `\edb\as%v\bin`}

// usualPlaces are the directories that may contain a major.
func usualPlaces(v *pgdata.Version) []string {
	list := places
	if runtime.GOOS == "windows" {
		list = nil
		for _, name := range []string{"ProgramFiles", "ProgramW6432"} {
			if dir := os.Getenv(name); dir != "" {
				for _, p := range windowsPlaces {
					list = append(list, dir+p)
				}
			}
		}
	}
	fill := strings.NewReplacer("%v", v.Name, "%n", strings.ReplaceAll(v.Name, ".", ""))
	dirs := make([]string, len(list))
	for i, p := range list {
		dirs[i] = fill.Replace(p)
	}
	return dirs
}
