package walreader

// Add takes one record into account, but for the blocks.
func (l *Lost) Add(rec *Record, f Format) { l.add(rec, &f.Version.WAL) }
