// Package chance is for tests: how often tests try what they do at random, and from which seed.
package chance
