package pgtest

import "github.com/gorewind/gorewind/internal/pgtest/cluster"

// The names that nearly every test uses, so that it needs only this package.
type (
	// T is the required part of testing.T.
	T = cluster.T
	// Installation is an installed PostgreSQL server.
	Installation = cluster.Installation
	// Cluster is a data directory with its server.
	Cluster = cluster.Cluster
	// Options are how a cluster is created.
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
