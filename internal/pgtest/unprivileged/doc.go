// Package unprivileged is for tests: runs the program that root started again as another user, since
// PostgreSQL refuses root.
package unprivileged
