// Package unprivileged is for tests: it runs a program that root started again as another user, since
// PostgreSQL refuses root.
package unprivileged
