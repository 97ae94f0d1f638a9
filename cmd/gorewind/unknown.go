package main

import (
	"fmt"
	"strings"
)

// checkCommand checks that the first word on the command line is not a misspelled
// command. pg_rewind has no commands.
func (in *invocation) checkCommand(args []string) error {
	if len(args) == 0 || in.command.name != "" || in.asOriginal() {
		return nil
	}
	if c := likeCommand(args[0]); c != "" {
		return &usageError{err: fmt.Errorf("unknown command \"%s\": did you mean \"%s\"?", args[0], c)}
	}
	return nil
}

// likeCommand is the command whose name is most similar to the word, or empty.
func likeCommand(word string) string {
	best, like := 3, "" // three or more edits make a different word
	for _, c := range commands[1:] {
		d := distance(word, c.name)
		if strings.HasPrefix(c.name, word) && len(word) >= 3 {
			d = min(d, 1)
		}
		if d < best && d < len(word) {
			best, like = d, c.name
		}
	}
	return like
}

// distance is the number of letters that must be inserted, deleted
// or replaced to turn one word into the other (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
