// Package rows is nothing but tests, about rows that are lost with a rewind.
package rows
