package rewind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/gorewind/gorewind/internal/pgconf"
	"github.com/gorewind/gorewind/internal/target"
)

// readOwnRecovery remembers what makes the target a standby up to 11, before
// anything replaces it.
func (r *Rewind) readOwnRecovery() error {
	if r.opts.PrimaryConnInfo == "" || r.earlier != nil {
		return nil
	}
	r.ownRecovery = map[string][]byte{}
	for _, p := range []string{pgconf.RecoveryFile, pgconf.RecoveryDoneFile} {
		b, err := r.target.ReadFile(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		r.ownRecovery[p] = b
	}
	return nil
}

// standbyFiles are those that make the target a standby of the source. after
// reads a file as the rewind leaves it.
func (r *Rewind) standbyFiles(after pgconf.ReadFile) ([]target.SmallFile, error) {
	if r.opts.PrimaryConnInfo == "" {
		return nil, nil
	}
	before := func(p string) ([]byte, error) {
		if b, ok := r.ownRecovery[p]; ok {
			return b, nil
		}
		return nil, fmt.Errorf("file %q: %w", p, fs.ErrNotExist)
	}
	files, _, err := pgconf.Standby(r.plan.Version, before, after, r.opts.PrimaryConnInfo, pgconf.StandbyOptions{})
	if err != nil {
		return nil, fmt.Errorf("could not make the target a standby: %w", err)
	}
	small := make([]target.SmallFile, len(files))
	for i, f := range files {
		small[i] = target.SmallFile{Path: f.Path, Data: f.Data}
	}
	return small, nil
}

// makeStandby makes a target that needs no rewind a standby of the source.
func (r *Rewind) makeStandby(ctx context.Context) error {
	r.enter(Apply)
	files, err := r.standbyFiles(r.target.ReadFile)
	if err != nil || len(files) == 0 {
		return err
	}
	return r.target.WriteFiles(ctx, r.targetRaw, files, r.syncMode())
}
