package pgsource

import (
	"context"

	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
)

var _ source.SlotLister = (*Server)(nil)

// Slots lists all replication slots, by name. Every role may see them. The list includes
// the slots that HoldWAL created, as long as they exist.
func (s *Server) Slots(ctx context.Context) ([]source.Slot, error) {
	var slots []source.Slot
	err := s.do(ctx, func(ctx context.Context, conn *conn) error {
		slots = nil
		var slot source.Slot
		var restart string
		return conn.each(ctx, ofNames, []any{&slot.Name, &slot.Physical, &slot.Active, &restart}, func() (err error) {
			slot.Restart, err = pgdata.ParseLSN(restart)
			slots = append(slots, slot)
			return err
		}, `SELECT slot_name::text, slot_type = 'physical', active, COALESCE(restart_lsn::text, '0/0') FROM pg_catalog.pg_replication_slots ORDER BY slot_name`)
	})
	if err != nil {
		return nil, s.failed("list the replication slots of", err)
	}
	return slots, nil
}
