package sanitize

import (
	"slices"
	"strings"
)

// OneLine joins the lines of a message and drops those that come again, as for
// an attempt with and one without TLS.
func OneLine(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}
