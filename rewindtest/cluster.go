package rewindtest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/waltest"
	"github.com/gorewind/gorewind/pgdata"
)

// Object identifiers.
const (
	database   = 5     // the OID of database postgres (15 and later)
	common     = 16384 // a table that both sides have
	targetOnly = 16400
	sourceOnly = 16401
)

// Resource managers (access/rmgrlist.h) and info bits of their records.
const (
	rmgrHeap   = 10
	initPage   = 0x80 // XLOG_HEAP_INIT_PAGE
	willInit   = 0x40 // BKPBLOCK_WILL_INIT
	hasHole    = 0x01 // BKPIMAGE_HAS_HOLE
	walSwitch  = 0x40 // XLOG_SWITCH
	firstXID   = 700
	walSegSize = 1 << 20
)

// epoch is the time of everything that happens.
var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// microseconds returns a time as in WAL: microseconds since 2000.
func microseconds(t time.Time) int64 {
	return t.Sub(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).Microseconds()
}

// cluster is a running primary, in memory.
type cluster struct {
	wal        *waltest.Builder
	tables     map[uint32][]heapPage
	xid        uint32
	imaged     map[string]bool // the pages with an image in WAL since the checkpoint
	checkpoint controlfile.CheckPoint
	at         pgdata.LSN // LSN of the checkpoint
	history    []byte
	fork       pgdata.LSN   // start of the timeline
	switched   pgdata.SegNo // first segment of the timeline
}

func newCluster(v *pgdata.Version, system uint64) *cluster {
	f := waltest.Format(v.Name)
	f.SystemIdentifier = system
	f.Geometry.WALSegSize = walSegSize
	c := &cluster{wal: waltest.NewBuilder(f), tables: map[uint32][]heapPage{}, xid: firstXID}
	c.stop()
	return c
}

// clone returns a copy of the cluster for another server.
func (c *cluster) clone() *cluster {
	d := *c
	w := *c.wal
	w.Buf, w.Records = bytes.Clone(w.Buf), slices.Clone(w.Records)
	d.wal, d.imaged, d.tables = &w, maps.Clone(c.imaged), map[uint32][]heapPage{}
	for oid, pages := range c.tables {
		for _, p := range pages {
			d.tables[oid] = append(d.tables[oid], bytes.Clone(p))
		}
	}
	return &d
}

func (c *cluster) version() *pgdata.Version { return c.wal.Format.Version }

func (c *cluster) clock() time.Time { return epoch.Add(time.Duration(c.xid) * time.Second) }

func locator(oid uint32) pgdata.RelFileLocator {
	return pgdata.RelFileLocator{Tablespace: pgdata.DefaultTablespace, Database: database, Relation: oid}
}

// create creates a table.
func (c *cluster) create(oid uint32) {
	c.wal.Add(waltest.RelationFile(false, locator(oid), 0))
	c.tables[oid] = nil
}

// insert adds a row to a page of a table; the page may be the next new one.
func (c *cluster) insert(oid, block uint32, number int32, text string) {
	pages := c.tables[oid]
	fresh := int(block) == len(pages)
	if fresh {
		pages = append(pages, newHeapPage())
		c.tables[oid] = pages
	}
	p := pages[block]
	before := p.upper()
	offset := p.insert(c.xid, block, number, text)
	rec := waltest.Record{Rmgr: rmgrHeap, XID: c.xid, Main: []byte{byte(offset), byte(offset >> 8), 0}}
	ref := waltest.Block{Locator: locator(oid), Block: block}
	name := fmt.Sprint(oid, block)
	switch {
	case fresh:
		rec.Info, ref.Flags = initPage, willInit
		ref.Data = p.rowData(before)
	case !c.imaged[name]:
		ref.Image, ref.Hole = append(bytes.Clone(p[:p.lower()]), p[p.upper():]...), p.lower()
		ref.Info = hasHole | c.version().WAL.ImageApply
	default:
		ref.Data = p.rowData(before)
	}
	c.imaged[name] = true
	rec.Blocks = []waltest.Block{ref}
	p.setLSN(c.wal.Add(rec).End)
}

// rowData returns an insertion's data for the newest row (xl_heap_header,
// access/heapam_xlog.h): the row without the parts of its header that the record has
// anyway.
func (p heapPage) rowData(end uint16) []byte {
	le := binary.LittleEndian
	pointer := le.Uint32(p[p.lower()-linePointer:])
	t := p[p.upper():end][:pointer>>17]
	data := append(bytes.Clone(t[18:22]), t[22])
	return append(data, t[tupleHeader-1:]...)
}

// commit ends the transaction.
func (c *cluster) commit() {
	end := waltest.Transaction{XID: c.xid, Time: microseconds(c.clock())}
	c.wal.Add(end.Record(waltest.InfoCommit, &c.version().WAL))
	c.xid++
}

// switchSegment leaves the rest of the WAL segment empty.
func (c *cluster) switchSegment() { c.wal.Add(waltest.Record{Info: walSwitch}) }

// stop writes the shutdown checkpoint.
func (c *cluster) stop() {
	if c.wal.SpaceOnPage() == int(c.wal.Format.Geometry.WALBlockSize) {
		c.wal.Header(0, 0)
	}
	c.at = c.wal.Pos()
	tli := pgdata.TimelineID(c.wal.TLI)
	c.checkpoint = controlfile.CheckPoint{
		Redo: c.at, ThisTimeLineID: tli, PrevTimeLineID: tli, FullPageWrites: true, WALLevel: c.statedLevel(),
		NextXid: uint64(c.xid), NextOid: 24576, NextMulti: 1, OldestXid: 3, OldestXidDB: 1, OldestMulti: 1, OldestMultiDB: 1,
		Time: c.clock(),
	}
	c.wal.Add(waltest.Record{Main: c.checkpoint.Encode(c.version())})
	c.imaged = map[string]bool{}
}

// statedLevel returns the wal_level that checkpoints state.
func (c *cluster) statedLevel() controlfile.WALLevel {
	if c.version().WAL.StatesWALLevel {
		return controlfile.Replica
	}
	return controlfile.Minimal // these checkpoints state none
}

// promote begins the next timeline.
func (c *cluster) promote() {
	before := c.wal.TLI
	c.wal.TLI++
	c.fork = c.wal.Pos()
	c.switched = c.wal.Format.Geometry.SegNo(c.wal.Pos())
	c.history = fmt.Appendf(c.history, "%d\t%s\tno recovery target specified\n", before, c.version().FormatLSN(c.wal.Pos()))
	c.wal.Add(waltest.EndOfRecovery(&c.version().WAL, microseconds(c.clock()), c.wal.TLI, before, uint32(controlfile.Replica)))
}

// control returns the control file after stop.
func (c *cluster) control() ([]byte, error) {
	return controlfile.Build(controlfile.Data{
		Version: c.version(), SystemIdentifier: c.wal.Format.SystemIdentifier,
		Fields:         controlfile.Fields{State: controlfile.ShutDown, Time: c.clock(), CheckPoint: c.at},
		CheckPointCopy: c.checkpoint, UnloggedLSN: 1,
		WALLevel: controlfile.Replica, MaxConnections: 100, MaxWorkerProcesses: 8, MaxWALSenders: 10,
		MaxLocksPerXact: int32(c.version().Defaults.MaxLocksPerTransaction),
		Geometry:        c.wal.Format.Geometry, NameDataLen: 64, IndexMaxKeys: 32, TOASTMaxChunkSize: 1996, LargeObjectBlock: 2048,
		DataChecksumVersion: 1, DefaultCharSigned: true,
	})
}

// store writes the data directory.
func (c *cluster) store(dir string, port int) error {
	control, err := c.control()
	if err != nil {
		return err
	}
	v, geo := c.version(), c.wal.Format.Geometry
	base := fmt.Sprintf("base/%d", database)
	files := map[string][]byte{
		pgdata.VersionPath:              []byte(v.Name + "\n"),
		pgdata.ControlFilePath:          control,
		base + "/" + pgdata.VersionPath: []byte(v.Name + "\n"),
		v.XactDir + "/0000":             c.transactions(),
		"pg_multixact/members/0000":     make([]byte, blockSize),
		"pg_multixact/offsets/0000":     make([]byte, blockSize),
		"postgresql.conf":               fmt.Appendf(nil, "port = %d\n", port),
		"postgresql.auto.conf":          []byte("# Do not edit this file manually!\n# It will be overwritten by the ALTER SYSTEM command.\n"),
		"pg_hba.conf":                   []byte("local all all trust\n"),
		"pg_ident.conf":                 nil,
	}
	for oid, pages := range c.tables {
		var file []byte
		for i, p := range pages {
			file = append(file, p.stored(uint32(i))...)
		}
		files[fmt.Sprintf("%s/%d", base, oid)] = file
	}
	for s, data := range c.wal.Segments().Files {
		tli := pgdata.TimelineID(c.wal.TLI)
		if c.history != nil && s < c.switched {
			tli--
		}
		files[v.WALPath(geo.WALFileName(tli, s))] = data
		if c.history != nil && s == c.switched { // the promotion copied this segment up to the switch
			old := bytes.Clone(data)
			clear(old[c.fork-geo.SegStart(s):])
			files[v.WALPath(geo.WALFileName(tli-1, s))] = old
		}
	}
	if c.history != nil {
		files[v.WALPath(pgdata.HistoryFileName(pgdata.TimelineID(c.wal.TLI)))] = c.history
	}
	for _, d := range []string{
		v.WALDir + "/archive_status", "base/1", "pg_commit_ts", "pg_dynshmem", "pg_logical/mappings", "pg_logical/snapshots", "pg_notify", "pg_replslot",
		"pg_serial", "pg_snapshots", "pg_stat", "pg_stat_tmp", "pg_subtrans", pgdata.TablespaceRoot, "pg_twophase",
	} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return err
		}
	}
	for name, data := range files {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(name, data, 0o600); err != nil {
			return err
		}
	}
	return os.Chmod(dir, 0o700)
}

// transactions returns the commit log: all transactions committed (access/clog.h).
func (c *cluster) transactions() []byte {
	b := make([]byte, blockSize)
	for xid := uint32(firstXID); xid < c.xid; xid++ {
		b[xid/4] |= 1 << (xid % 4 * 2)
	}
	return b
}
