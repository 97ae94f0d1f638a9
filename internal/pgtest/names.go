package pgtest

import "github.com/gorewind/gorewind/internal/pgtest/cluster"

// What nearly every test names, so that it needs no more than this package.
type (
	// T is what is needed of a test.
	T = cluster.T
	// Installation is an installed PostgreSQL server.
	Installation = cluster.Installation
	// Cluster is a data directory with its server.
	Cluster = cluster.Cluster
	// Options say how a cluster is made.
	Options = cluster.Options
	// StopMode is how a server is shut down.
	StopMode = cluster.StopMode
)

// The modes of pg_ctl stop.
const (
	Smart     = cluster.Smart
	Fast      = cluster.Fast
	Immediate = cluster.Immediate
)
