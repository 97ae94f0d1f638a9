// Package cluster is for tests: PostgreSQL installations, their clusters, and their servers, which it
// creates, starts, queries, copies, promotes and kills.
package cluster
