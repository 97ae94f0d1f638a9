// Package rows has only tests, about rows that a rewind loses.
package rows
