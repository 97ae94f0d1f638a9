package controlfile

// StandbySettings are the settings of the server that wrote the WAL, the primary,
// which a hot standby must not have smaller: it tracks the primary's transactions
// and locks in tables of these sizes (CheckRequiredParameterValues,
// access/transam/xlogrecovery.c). A control file has them as the WAL up to its
// position told them; that of a standby has those of its primary, and so this, and
// not the settings of a standby, is what another one that follows it must have.
// max_wal_senders counts from 12 on.
func (d *Data) StandbySettings() map[string]int {
	settings := map[string]int{
		"max_connections":           int(d.MaxConnections),
		"max_worker_processes":      int(d.MaxWorkerProcesses),
		"max_prepared_transactions": int(d.MaxPreparedXacts),
		"max_locks_per_transaction": int(d.MaxLocksPerXact),
	}
	if d.MaxWALSenders > 0 {
		settings["max_wal_senders"] = int(d.MaxWALSenders)
	}
	return settings
}
