// Package histories has only tests, about random events on a primary and its standbys.
package histories
