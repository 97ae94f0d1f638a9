// Package poison makes control files on which no server starts: invariant I2 rests on it.
package poison

import (
	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/pgdata"
)

// Of returns d's bytes changed so that no server starts on them (invariant I2): the last
// checkpoint seems to lie inside the header of its WAL page, where no record can be. Every
// major refuses that, with or without a backup label; everything else stays readable, the
// state above all, by which failover managers decide what to do with the cluster.
func Of(d *controlfile.Data) []byte {
	f := d.Fields
	f.CheckPoint = place(d)
	return d.Encode(f)
}

// Is reports whether d was made by Of.
func Is(d *controlfile.Data) bool { return d.CheckPoint == place(d) }

func place(d *controlfile.Data) pgdata.LSN { return d.Geometry.PageStart(d.CheckPoint) + 1 }
