// Package histories only has tests, about random events on a primary and its standbys.
package histories
