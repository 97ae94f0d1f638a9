package endtoend

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/page"
)

// relationFile matches all forks of permanent relations. Those of unlogged ones
// are recreated at every start.
var relationFile = regexp.MustCompile(`^[1-9][0-9]*(_fsm|_vm|_init)?(\.[1-9][0-9]*)?$`)

// Sound is nil if every page of a stopped cluster has the correct checksum.
func Sound(dir string) error {
	control, err := controlfile.Read(dir)
	if err != nil {
		return err
	}
	if control.DataChecksumVersion == 0 {
		return nil
	}
	var bad []string
	err = EachPage(dir, control, func(file string, p []byte, block uint32) bool {
		if err := page.Verify(p, block); err != nil {
			bad = append(bad, fmt.Sprintf("%s: %v", file, err))
		}
		return false
	})
	if err == nil && len(bad) > 0 {
		err = fmt.Errorf("pages are damaged: %s", shortened(bad))
	}
	return err
}

// EachPage calls do with every page of every permanent relation and its number in
// the relation, and writes back the pages that do reports as changed.
func EachPage(dir string, control *controlfile.Data, do func(file string, p []byte, block uint32) bool) error {
	size := int(control.Geometry.BlockSize)
	visit := func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !relationFile.MatchString(d.Name()) {
			return err
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		first := uint32(0)
		if _, segment, ok := strings.Cut(d.Name(), "."); ok {
			n, err := strconv.ParseUint(segment, 10, 32)
			if err != nil {
				return err
			}
			first = uint32(n) * control.Geometry.RelSegBlocks
		}
		changed := false
		for i := 0; (i+1)*size <= len(data); i++ {
			changed = do(file, data[i*size:(i+1)*size], first+uint32(i)) || changed
		}
		if changed {
			return os.WriteFile(file, data, 0o600)
		}
		return nil
	}
	tops := []string{filepath.Join(dir, "base"), filepath.Join(dir, "global")}
	links, err := filepath.Glob(filepath.Join(dir, "pg_tblspc", "*"))
	if err != nil {
		return err
	}
	for _, link := range links {
		to, err := filepath.EvalSymlinks(link)
		if err != nil {
			return err
		}
		tops = append(tops, to)
	}
	for _, top := range tops {
		if err := filepath.WalkDir(top, visit); err != nil {
			return err
		}
	}
	return nil
}
