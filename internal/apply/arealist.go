package apply

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path"
	"slices"

	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/internal/poison"
	"github.com/gorewind/gorewind/pgdata"
)

// areasPath is the list of all staging directories. It is written before they are
// made, so that they are found and removed whatever happens.
const areasPath = stagingDir + "/areas"

// areaList is the content of that file: a JSON document, followed by a line with
// its CRC.
type areaList struct {
	Name  string `json:"name"` // areaName, the name of all areas but the first
	Areas []Area `json:"areas"`
}

type areaListEnd struct {
	CRC uint32 `json:"crc32c"`
}

func encodeAreas(name string, areas []Area) ([]byte, error) {
	list, err := json.Marshal(areaList{name, areas})
	if err != nil {
		return nil, err
	}
	list = append(list, '\n')
	end, err := json.Marshal(areaListEnd{crc32.Checksum(list, castagnoli)})
	return append(append(list, end...), '\n'), err
}

func decodeAreas(b []byte) (*areaList, error) {
	cut := bytes.IndexByte(b, '\n') + 1
	var end areaListEnd
	if err := json.Unmarshal(b[cut:], &end); err != nil || cut == 0 || crc32.Checksum(b[:cut], castagnoli) != end.CRC {
		return nil, errDamaged
	}
	list := new(areaList)
	if err := json.Unmarshal(b[:cut], list); err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return list, nil
}

// areasLeft lists the areas that an earlier run made, except the one in the data
// directory, which must exist. If the list cannot be trusted, it looks for areas
// wherever they can be.
func (t *Target) areasLeft() ([]Area, error) {
	_, control, err := t.readControl()
	if err != nil {
		return nil, err
	}
	own := areaName(control.SystemIdentifier)
	raw, err := t.ReadFile(areasPath)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	list, err := decodeAreas(raw)
	if err != nil || list.Name != own {
		return t.findAreas(own)
	}
	var areas []Area
	for _, a := range list.Areas {
		if path.Base(string(a.Dir)) == own && t.mayStage(path.Dir(string(a.Dir)), string(a.Link)) {
			areas = append(areas, a)
		}
	}
	return areas, nil
}

// mayStage reports whether a directory can contain a staging directory: it is behind
// a link that servers make, existing or planned, or it is a mount point.
func (t *Target) mayStage(dir, link string) bool {
	if !isInside(dir) {
		return false
	}
	if link != "" && datadir.IsLinkPoint(dir) {
		have, err := t.disk.Readlink(dir)
		return errors.Is(err, fs.ErrNotExist) || err == nil && have == link
	}
	return link == "" && (&areaMap{t: t, mount: map[string]uint64{}}).isBoundary(dir)
}

// findAreas looks for staging directories behind the target's links.
func (t *Target) findAreas(own string) ([]Area, error) {
	places := []string{"pg_wal", "pg_xlog"}
	entries, err := t.disk.ReadDir(pgdata.TablespaceRoot)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, t.failed("read directory", pgdata.TablespaceRoot, err)
	}
	for _, e := range entries {
		places = append(places, path.Join(pgdata.TablespaceRoot, e.Name()))
	}
	var areas []Area
	for _, place := range places {
		dir := path.Join(place, own)
		if !t.LinkPoint(place) {
			continue
		}
		if info, err := t.disk.Lstat(dir); err == nil && info.IsDir() {
			areas = append(areas, Area{Dir: name(dir)})
		}
	}
	return areas, nil
}

// dropStaging removes all staging directories, the listed and the known ones, and
// the main one last. It refuses while a committed rewind still needs them. The note
// of a slot stays, and so does the main directory that contains it.
func (t *Target) dropStaging(known ...Area) error {
	if _, control, err := t.readControl(); err != nil {
		return err
	} else if poison.Is(control) {
		return fmt.Errorf("%w: %q", errUnfinished, t.Name())
	}
	there, err := t.findStagingDir(stagingDir)
	if err != nil {
		return err
	}
	var areas []Area
	if there {
		if areas, err = t.areasLeft(); err != nil {
			return err
		}
	}
	for _, a := range known {
		if a.Dir != stagingDir && !slices.Contains(areas, a) {
			areas = append(areas, a)
		}
	}
	for _, a := range areas {
		dir := string(a.Dir)
		if a.Link != "" { // the current plan may map that tablespace elsewhere
			t.Forget(path.Dir(dir))
			t.Forget(dir)
		}
		if t.mapTablespace(a) == nil && t.Enclose(dir) == nil { // otherwise it is gone, or not gorewind's
			if err := t.dropArea(dir); err != nil {
				return err
			}
			// The list must not be removed before the areas are.
			if err := t.sync(path.Dir(dir)); err != nil {
				return t.failed("fsync", path.Dir(dir), err)
			}
		}
		if err := t.removeTablespace(a); err != nil {
			return err
		}
		if a.Link != "" {
			t.Forget(path.Dir(dir))
		}
	}
	if !there {
		return nil
	}
	return t.dropArea(stagingDir)
}

// dropArea removes a directory. It must be enclosed or inside one that is, so that
// no path leads out of it.
func (t *Target) dropArea(dir string) error {
	entries, err := t.disk.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return t.failed("read directory", dir, err)
	}
	last := path.Base(areasPath) // the list is needed while there is another area
	noted := false
	for _, e := range entries {
		p := path.Join(dir, e.Name())
		switch {
		case p == slotPath && !e.IsDir():
			noted = true
			continue
		case e.Name() == last && dir == stagingDir:
			continue
		case e.IsDir():
			err = t.dropArea(p)
		default:
			err = t.remove(p)
		}
		if err != nil {
			return err
		}
	}
	if dir == stagingDir {
		if err := t.remove(areasPath); err != nil || noted {
			return err
		}
	}
	return t.remove(dir)
}
