package rewind

import "github.com/gorewind/gorewind/internal/target"

// WithDisk puts something between the rewind and the target's disk.
func (o Options) WithDisk(wrap func(target.Disk) target.Disk) Options {
	o.disk = wrap
	return o
}

// StartOrNot does without the proof that the rewound server will start.
func (o Options) StartOrNot() Options {
	o.startOrNot = true
	return o
}
