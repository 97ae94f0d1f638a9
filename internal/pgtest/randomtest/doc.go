// Package randomtest is for tests: how often random tests run, and with which seed.
package randomtest
