package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/gorewind/gorewind/internal/sanitize"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/source/pgsource"
)

const (
	exitDifferent = 1
	exitTrouble   = 2 // as in diff(1)
)

// diff compares two data directories.
func (in *invocation) diff() int {
	operands := 2
	if in.opts.sourceServer != nil {
		operands = 1
	}
	err := in.opts.checkOperands(operands)
	if err == nil && len(in.opts.operands) < operands {
		err = errors.New("too few data directories to compare")
	}
	if err != nil {
		return in.misused(err)
	}
	result, err := in.compare()
	if err != nil {
		in.failed(err)
		return exitTrouble
	}
	if in.opts.format == formatJSON {
		err = in.printJSON(result)
	} else {
		in.describeDifference(result)
	}
	switch {
	case err != nil:
		in.failed(err)
		return exitTrouble
	case result.Worst > in.opts.upTo:
		return exitDifferent
	}
	return exitDone
}

func (in *invocation) compare() (*rewind.DiffResult, error) {
	a, err := source.OpenDir(in.opts.operands[0])
	if err != nil {
		return nil, err
	}
	defer func() { _ = a.Close() }()
	var b source.Source
	if in.opts.sourceServer != nil {
		b, err = pgsource.Open(in.ctx, *in.opts.sourceServer, in.serverOptions())
	} else {
		b, err = source.OpenDir(in.opts.operands[1])
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = b.Close() }()
	return rewind.Diff(in.ctx, rewind.DiffOptions{A: a, B: b, Ignore: in.opts.ignore, All: in.opts.all})
}

func (in *invocation) printJSON(v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err == nil {
		_, err = fmt.Fprintln(in.stdout, string(sanitize.JSON(text)))
	}
	return err
}

func (in *invocation) describeDifference(r *rewind.DiffResult) {
	for _, f := range r.Files {
		if f.Difference <= in.opts.upTo {
			continue
		}
		fmt.Fprintln(in.stdout, f)
	}
	if in.opts.debug || len(r.Files) > 0 {
		fmt.Fprintf(in.stdout, "%d files compared, %d differ; the worst difference is %s.\n", r.FilesCompared, len(r.Files), r.Worst)
	}
}
