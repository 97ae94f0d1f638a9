// Package rows only has tests, about rows that are lost with a rewind.
package rows
