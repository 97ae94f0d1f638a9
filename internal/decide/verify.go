package decide

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/pgdata"
)

// Verify refuses a plan that no Builder makes for clusters of a major and a geometry:
// a plan from a file can have been written by anybody.
func Verify(p *filemap.Plan, v *pgdata.Version, g pgdata.Geometry) error {
	if p.Geometry != g || p.WALDir != v.WALDir || p.SourceBytes < 0 {
		return errors.New("it is about another cluster")
	}
	paths := make(map[string]bool, len(p.Entries))
	var bytes int64
	for i := range p.Entries {
		e := &p.Entries[i]
		if err := verifyEntry(p, v, e); err != nil {
			return fmt.Errorf("%s of %.200q: %w", e.Action, e.Path, err)
		}
		if paths[e.Path] {
			return fmt.Errorf("%.200q is in it twice", e.Path)
		}
		paths[e.Path] = true
		if bytes += e.SourceSize; bytes > maxBytes {
			return errors.New("it is larger than any cluster")
		}
	}
	return nil
}

func verifyEntry(p *filemap.Plan, v *pgdata.Version, e *filemap.Entry) error {
	switch {
	case !isSafe(e.Path) || len(path.Base(e.Path)) > maxName:
		return errors.New("the path is unsafe")
	case e.Path == pgdata.ControlFilePath || invisible(v, e.Path):
		return errors.New("no rewind changes this file")
	case !slices.Contains(filemap.Reasons(), e.Reason):
		return errors.New("there is no such reason")
	case e.SourceSize < 0 || e.SourceSize > maxBytes || e.TargetSize < 0 || e.TargetSize > maxBytes:
		return errors.New("no file has such a size")
	case e.Type < pgdata.Regular || e.Type > pgdata.Symlink:
		return errors.New("there is no such type of file")
	}
	if e.Action != filemap.Remove && e.Action != filemap.None && Excluded(e.Path) {
		return errors.New("this file belongs to one server only")
	}
	if err := verifyAction(p, e); err != nil {
		return err
	}
	if err := verifyParts(p, v, e); err != nil {
		return err
	}
	return verifyBlocks(p, v, e)
}

// verifyAction checks that the action is possible for such a file.
func verifyAction(p *filemap.Plan, e *filemap.Entry) error {
	ok := e.Link == "" && !e.MakesDir
	switch e.Action {
	case filemap.Create:
		if e.Type == pgdata.Symlink {
			if e.MakesDir && (path.Dir(e.Path) != pgdata.TablespaceRoot || !filepath.IsAbs(e.Link)) {
				return errors.New("it is not a tablespace whose directory could be created")
			}
			return CheckLink(e.Link)
		}
		ok = ok && e.Type == pgdata.Directory && !slices.Contains(files, e.Path)
	case filemap.Copy:
		ok = ok && e.Type == pgdata.Regular
	case filemap.CopyTail:
		ok = ok && e.Type == pgdata.Regular && e.SourceSize > e.TargetSize
	case filemap.Truncate:
		ok = ok && e.Type == pgdata.Regular && e.SourceSize < e.TargetSize
	case filemap.Restore:
		ok = ok && e.Type == pgdata.Regular && p.IsSegment(e) && e.SourceSize > 0
	case filemap.None, filemap.Remove:
	default:
		ok = false
	}
	if !ok {
		return errors.New("that cannot be done with it")
	}
	return nil
}

// verifyParts checks that only WAL segments come from elsewhere than the source.
func verifyParts(p *filemap.Plan, v *pgdata.Version, e *filemap.Entry) error {
	if e.Unwritten == 0 && e.LocalBytes == 0 && e.Local == "" {
		return nil
	}
	if e.Action != filemap.Copy || !p.IsSegment(e) || e.Unwritten < 0 || e.Unwritten > e.SourceSize || e.LocalBytes < 0 || e.LocalBytes > e.SourceSize-e.Unwritten {
		return errors.New("no part of it can come from elsewhere")
	}
	if e.Local == "" && e.LocalBytes == 0 {
		return nil
	}
	name, inWAL := v.InWALDir(e.Local)
	if _, _, ok := p.Geometry.ParseWALFileName(name); !inWAL || !ok {
		return fmt.Errorf("no part of it can come from %.200q", e.Local)
	}
	return nil
}

// verifyBlocks checks that blocks and tails belong to files that have blocks:
// relations, and others that were compared.
func verifyBlocks(p *filemap.Plan, v *pgdata.Version, e *filemap.Entry) error {
	_, isRelation := pgdata.ParseRelPath(v, e.Path)
	size := int64(p.Geometry.BlockSize)
	if isRelation && e.Action != filemap.Remove && e.Action != filemap.None && (e.Type != pgdata.Regular || e.SourceSize > int64(p.Geometry.RelSegBlocks)*size) {
		return errors.New("no file of a relation is like that")
	}
	if e.Action != filemap.CopyTail && e.Action != filemap.Truncate && e.Blocks == nil {
		return nil
	}
	if !isRelation && (e.Reason != filemap.NotARelation || p.IsSegment(e)) || e.Type != pgdata.Regular {
		return errors.New("it is not a file of a relation")
	}
	if e.Blocks == nil {
		return nil
	}
	if e.Action != filemap.None && e.Action != filemap.CopyTail && e.Action != filemap.Truncate {
		return errors.New("it has changed blocks, and is not one that only changes")
	}
	for b := range e.Blocks.All() {
		if int64(b) >= min(e.SourceSize, e.TargetSize)/size {
			return fmt.Errorf("block %d is after its end", b)
		}
	}
	return nil
}
