// Package dirtree is for tests: copies directories, and tells where two differ.
package dirtree
