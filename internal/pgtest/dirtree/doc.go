// Package dirtree is for tests: it copies directories, and shows where two differ.
package dirtree
