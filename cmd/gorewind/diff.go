package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/gorewind/gorewind/internal/plain"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/source/pgsource"
)

const (
	exitDifferent = 1
	exitTrouble   = 2 // as of diff(1)
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
		_, err = fmt.Fprintln(in.stdout, string(plain.JSON(text)))
	}
	return err
}

// maxRuns is how many runs of blocks are printed of a file.
const maxRuns = 20

func (in *invocation) describeDifference(r *rewind.DiffResult) {
	for _, f := range r.Files {
		if f.Difference <= in.opts.upTo {
			continue
		}
		f.Path, f.Reason = plain.Text(f.Path, plain.Unlimited), plain.Text(f.Reason, plain.Message)
		switch {
		case f.Reason != "":
			fmt.Fprintf(in.stdout, "%s: %s\n", f.Path, f.Reason)
			continue
		case f.SizeA != f.SizeB:
			fmt.Fprintf(in.stdout, "%s: %d and %d bytes\n", f.Path, f.SizeA, f.SizeB)
		default:
			fmt.Fprintf(in.stdout, "%s: %s\n", f.Path, f.Difference)
		}
		for i, run := range f.Blocks {
			if i == maxRuns {
				fmt.Fprintf(in.stdout, "  and %d more\n", len(f.Blocks)-maxRuns+f.More)
				break
			}
			blocks := fmt.Sprintf("block %d", run.First)
			if run.Last > run.First {
				blocks = fmt.Sprintf("blocks %d to %d", run.First, run.Last)
			}
			fmt.Fprintf(in.stdout, "  %s: %s\n", blocks, run.Difference)
		}
	}
	if in.opts.debug || len(r.Files) > 0 {
		fmt.Fprintf(in.stdout, "%d files compared, %d differ; the worst difference is %s.\n", r.FilesCompared, len(r.Files), r.Worst)
	}
}
