// Package histories is nothing but tests, about what happens at random to a primary and its standbys.
package histories
