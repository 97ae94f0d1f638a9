package recovery

import (
	"bytes"
	"context"
	"log/slog"
	"regexp"
	"strings"
)

// tailLines is how many lines of the server's output an error contains.
const tailLines = 20

// maxLine is how many bytes of one line are kept.
const maxLine = 4096

// output receives the server's output, line by line.
type output struct {
	log   *slog.Logger
	line  func(string) // called for every line
	part  []byte       // an incomplete line
	lines []string     // the last lines
}

// Write is called from one goroutine.
func (o *output) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		text, after, ended := bytes.Cut(rest, []byte("\n"))
		o.part = append(o.part, text[:min(len(text), maxLine-len(o.part))]...)
		if ended {
			o.flush()
		}
		rest = after
	}
	return len(p), nil
}

// flush handles a line; at the end also one without a newline.
func (o *output) flush() {
	line := strings.TrimRight(string(o.part), "\r")
	o.part = o.part[:0]
	if line == "" || strings.HasPrefix(line, "backend>") { // its prompt
		return
	}
	if o.lines = append(o.lines, line); len(o.lines) > tailLines {
		o.lines = o.lines[1:]
	}
	level := slog.LevelDebug
	if levelOf(line) == "WARNING" {
		level = slog.LevelWarn
	}
	o.log.Log(context.Background(), level, "postgres: "+line, "program", "postgres", "output", line)
	o.line(line)
}

// levelled matches the lines of a server's log, with any log_line_prefix that
// was in force before the settings were read.
var levelled = regexp.MustCompile(`(?:^|\s)(LOG|WARNING|ERROR|FATAL|PANIC|DETAIL|HINT|CONTEXT):  `)

func levelOf(line string) string {
	if m := levelled.FindStringSubmatch(line); m != nil {
		return m[1]
	}
	return ""
}
