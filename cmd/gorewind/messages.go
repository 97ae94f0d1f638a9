package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/gorewind/gorewind/internal/sanitize"
)

// messages writes lines as PostgreSQL's programs do: "name: level: text". It is
// the slog.Handler that the library logs to.
type messages struct {
	name   string
	w      io.Writer
	level  slog.Level
	colors colors
	json   *slog.Logger      // instead of lines of text, if not nil
	stamps func() time.Time  // lines begin with this time, if not nil
	words  *strings.Replacer // translates the library's advice, if not nil
	mu     sync.Mutex
	// before is called before every line, if something else, such as a
	// progress line, occupies the terminal's last line.
	before func()
}

// colors are the escape codes before the parts of a line: parameters
// of SGR (ECMA-48). Empty ones leave the text as it is.
type colors struct{ locus, error, warning, note string }

// colorsFor does what PostgreSQL's programs do with PG_COLOR and PG_COLORS
// (common/logging.c). NO_COLOR, which they do not support, overrides both.
func colorsFor(w io.Writer, env environment) colors {
	switch env.get("PG_COLOR") {
	case "always":
	case "auto":
		if !isTerminal(w) {
			return colors{}
		}
	default:
		return colors{}
	}
	if env.get("NO_COLOR") != "" {
		return colors{}
	}
	chosen := env.get("PG_COLORS")
	if chosen == "" {
		return colors{locus: "01", error: "01;31", warning: "01;35", note: "01;36"}
	}
	var c colors
	for pair := range strings.SplitSeq(chosen, ":") {
		name, value, _ := strings.Cut(pair, "=")
		switch name {
		case "locus":
			c.locus = value
		case "error":
			c.error = value
		case "warning":
			c.warning = value
		case "note":
			c.note = value
		}
	}
	return c
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func paint(color, text string) string {
	if color == "" || text == "" {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

// The kinds of lines, as printed between the program's name and the text.
const (
	kindError   = "error"
	kindWarning = "warning"
	kindDetail  = "detail"
	kindHint    = "hint"
	kindInfo    = "" // pg_rewind prints neither
	kindDebug   = "debug"
)

// asJSON makes every line a JSON object.
func (m *messages) asJSON() {
	m.json = slog.New(slog.NewJSONHandler(m.w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// line writes a message. All messages pass through here, and their content may
// come from anywhere, so it is reduced to plain text, one line, and at most a screenful.
func (m *messages) line(kind, text string, attrs ...any) {
	if m.words != nil {
		text = m.words.Replace(text)
	}
	text = sanitize.Text(text, sanitize.MaxMessage)
	if m.json == nil {
		m.write(m.prefix(kind) + text + "\n")
		return
	}
	switch kind {
	case kindError:
		m.json.Error(text, attrs...)
	case kindWarning:
		m.json.Warn(text, attrs...)
	case kindDetail, kindHint:
		m.json.Info(text, "kind", kind)
	case kindDebug:
		m.json.Debug(text, attrs...)
	default:
		m.json.Info(text, attrs...)
	}
}

// prefix is the line's kind in color.
func (m *messages) prefix(kind string) string {
	switch kind {
	case kindError:
		return paint(m.colors.error, kind+": ")
	case kindWarning:
		return paint(m.colors.warning, kind+": ")
	case kindDetail, kindHint:
		return paint(m.colors.note, kind+": ")
	}
	return ""
}

func (m *messages) write(text string) { m.block(m.time() + paint(m.colors.locus, m.name+": ") + text) }

// time is the time at the start of a line, written as in servers' logs (%m of
// log_line_prefix), if it was asked for.
func (m *messages) time() string {
	if m.stamps == nil {
		return ""
	}
	return m.stamps().Format("2006-01-02 15:04:05.000 MST ")
}

// block writes lines unchanged.
func (m *messages) block(lines string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.before != nil {
		m.before()
	}
	_, _ = io.WriteString(m.w, lines)
}

func (m *messages) error(text string)  { m.line(kindError, text) }
func (m *messages) detail(text string) { m.line(kindDetail, text) }
func (m *messages) hint(text string)   { m.line(kindHint, text) }

// tryHelp is the last line about a mistake in the command line.
func (m *messages) tryHelp(c *command) {
	m.hint(fmt.Sprintf("Try \"%s --help\" for more information.", strings.TrimSpace(m.name+" "+c.name)))
}

// Enabled is part of slog.Handler, as are Handle, WithAttrs and WithGroup. The library's
// messages are complete sentences, so attributes are written only in JSON.
func (m *messages) Enabled(_ context.Context, l slog.Level) bool { return l >= m.level }

// Handle writes a line.
func (m *messages) Handle(_ context.Context, rec slog.Record) error {
	kind := kindDebug
	switch {
	case rec.Level >= slog.LevelError:
		kind = kindError
	case rec.Level >= slog.LevelWarn:
		kind = kindWarning
	case rec.Level >= slog.LevelInfo:
		kind = kindInfo
	}
	var attrs []any
	if m.json != nil {
		rec.Attrs(func(a slog.Attr) bool {
			attrs = append(attrs, sanitized(a))
			return true
		})
	}
	m.line(kind, rec.Message, attrs...)
	return nil
}

// sanitized makes an attribute's text as harmless as that of messages.
func sanitized(a slog.Attr) slog.Attr {
	switch v := a.Value.Resolve().Any().(type) {
	case error:
		return slog.String(a.Key, sanitize.Text(v.Error(), sanitize.MaxMessage))
	case fmt.Stringer:
		return slog.String(a.Key, sanitize.Text(v.String(), sanitize.MaxMessage))
	case string:
		return slog.String(a.Key, sanitize.Text(v, sanitize.MaxMessage))
	case []string:
		lines := make([]string, len(v))
		for i := range v {
			lines[i] = sanitize.Text(v[i], sanitize.MaxMessage)
		}
		return slog.Any(a.Key, lines)
	}
	return a
}

// WithAttrs adds nothing.
func (m *messages) WithAttrs([]slog.Attr) slog.Handler { return m }

// WithGroup adds nothing.
func (m *messages) WithGroup(string) slog.Handler { return m }
