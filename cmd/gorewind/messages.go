package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
)

// messages writes lines as PostgreSQL's programs do, "name: level: text". It is
// the slog.Handler that the library logs to.
type messages struct {
	name  string
	w     io.Writer
	level slog.Level
	mu    sync.Mutex
	// before is called before every line, where something else, such as a
	// progress line, has the terminal's last line.
	before func()
}

func (m *messages) line(level, text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.before != nil {
		m.before()
	}
	fmt.Fprintf(m.w, "%s: %s%s\n", m.name, level, text)
}

func (m *messages) error(err error)    { m.line("error: ", err.Error()) }
func (m *messages) detail(text string) { m.line("detail: ", text) }
func (m *messages) hint(text string)   { m.line("hint: ", text) }

// Enabled, Handle, WithAttrs and WithGroup make it a slog.Handler. The library's
// messages are whole sentences, without attributes.
func (m *messages) Enabled(_ context.Context, l slog.Level) bool { return l >= m.level }

func (m *messages) Handle(_ context.Context, rec slog.Record) error {
	level := ""
	switch {
	case rec.Level >= slog.LevelError:
		level = "error: "
	case rec.Level >= slog.LevelWarn:
		level = "warning: "
	}
	m.line(level, rec.Message)
	return nil
}

func (m *messages) WithAttrs([]slog.Attr) slog.Handler { return m }
func (m *messages) WithGroup(string) slog.Handler      { return m }
