package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/gorewind/gorewind/rewind"
)

// maxObstacles is how many reasons of one refusal are listed. A directory without
// permissions can have thousands of files.
const maxObstacles = 50

// failed reports what went wrong and what to do, and returns the exit status. The
// first line is pg_rewind's, and what gorewind adds comes after it. If gorewind is
// called as pg_rewind, its additions come first: pg_rewind's last line is the error, and
// some programs read only that line.
func (in *invocation) failed(err error) int {
	main, more := firstLine(in.ctx, err), ""
	var details, hints []string
	var explained *rewind.Explained
	for e := err; errors.As(e, &explained); e = explained.Err {
		main = strings.Replace(main, explained.Error(), explained.Err.Error(), 1)
		more += explained.Consequence
		details, hints = add(details, explained.Detail), add(hints, explained.Hint)
	}
	status := exitFailed
	var failed *rewind.Error
	if errors.As(err, &failed) {
		status = failed.ExitStatus()
		switch {
		case !failed.TargetUntouched:
			details = append(details, "The target is half rewound: no server starts on it.")
		case failed.CrashRecovered:
			details = append(details, "The target was not changed, except by its crash recovery.")
		default:
			details = append(details, "The target was not changed.")
		}
	}
	additions := func() {
		if len(details) > 0 {
			in.out.detail(inCLocale(strings.Join(details, " "), err))
		}
		if len(hints) > 0 {
			in.out.hint(strings.Join(hints, " "))
		}
	}
	if in.asOriginal() {
		additions()
	} else {
		defer additions()
	}
	var all rewind.Obstacles
	if errors.As(err, &all) {
		shown := all[:min(len(all), maxObstacles)]
		for _, one := range shown[:len(shown)-1] {
			in.out.error(inCLocale(one.Error(), one))
		}
		main = shown[len(shown)-1].Error()
		if left := len(all) - len(shown); left > 0 {
			in.out.error(inCLocale(main, err))
			main = fmt.Sprintf("and %d more of this kind", left)
		}
	}
	in.out.error(inCLocale(main, err))
	if more != "" {
		in.out.error(more)
	}
	return status
}

func add(list []string, s string) []string {
	if s == "" {
		return list
	}
	return append(list, s)
}

func firstLine(ctx context.Context, err error) string {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return "the rewind was interrupted"
	}
	return err.Error()
}

// inCLocale writes system errors as C programs do, beginning with a
// capital letter: failover managers look for "No such file or directory".
func inCLocale(text string, err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		text = strings.ReplaceAll(text, ": "+errno.Error(), ": "+capital(errno.Error()))
	}
	return text
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// reason is why a system call failed, without its name and path.
func reason(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return capital(errno.Error())
	}
	return err.Error()
}
