// Package chance is for tests: how often random tests run, and with which seed.
package chance
