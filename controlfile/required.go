package controlfile

// StandbySettings are settings of the primary, the server that wrote the WAL,
// for which a hot standby must not have smaller values: it tracks the primary's transactions
// and locks in tables of these sizes (CheckRequiredParameterValues,
// access/transam/xlogrecovery.c). A control file has the values that the WAL had up to its
// position. That of a standby has its primary's values. These, and
// not the standby's own settings, are what another standby that follows it needs.
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
