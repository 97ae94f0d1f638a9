// Package cluster is for tests: a PostgreSQL installation, clusters of it, and their servers: made,
// started, asked, copied, promoted, killed.
package cluster
