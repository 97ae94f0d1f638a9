package pgsource_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand"
	"net"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest"
)

// pooler is a connection pooler: clients get a server process for as long as they
// are there or, if it pools transactions, for one. The keys that it sends for
// cancelling queries are its own.
type pooler struct {
	transactions bool
	roundRobin   bool // the process that was free for longest comes first, else the one that was last in use
	resets       bool // what a client set is taken back when it leaves
	size         int  // the most processes

	conninfo string // of the server
	listener net.Listener

	mu      sync.Mutex
	changed sync.Cond
	free    []*pooled
	open    int
	next    int // ticket: who waits is served in turn
	serving int
	ends    []net.Conn
}

// pooled is one server process.
type pooled struct {
	*pgconn.HijackedConn
	in *bufio.Reader
}

func (p *pooler) start(t *testing.T, c *pgtest.Cluster) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p.conninfo, p.listener, p.changed.L = c.ConnString("postgres"), l, &p.mu
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			p.mu.Lock()
			p.ends = append(p.ends, conn)
			p.mu.Unlock()
			all.Go(func() {
				defer func() { _ = conn.Close() }()
				p.serve(conn)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		p.mu.Lock()
		for _, conn := range p.ends {
			_ = conn.Close()
		}
		p.size = 1000 // whoever waits waits no longer
		p.changed.Broadcast()
		p.mu.Unlock()
		all.Wait()
	})
}

func (p *pooler) connString() string {
	return fmt.Sprintf("host=127.0.0.1 port=%d user=postgres dbname=postgres sslmode=disable", p.listener.Addr().(*net.TCPAddr).Port)
}

// take returns a process as soon as one is free.
func (p *pooler) take() (*pooled, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ticket := p.next
	p.next++
	for ticket != p.serving || len(p.free) == 0 && p.open >= p.size {
		p.changed.Wait()
	}
	defer p.changed.Broadcast()
	p.serving++
	if n := len(p.free); n > 0 {
		at := n - 1
		if p.roundRobin {
			at = 0
		}
		s := p.free[at]
		p.free = append(p.free[:at:at], p.free[at+1:]...)
		return s, nil
	}
	conn, err := pgconn.Connect(context.Background(), p.conninfo)
	if err != nil {
		return nil, err
	}
	hijacked, err := conn.Hijack()
	if err != nil {
		return nil, err
	}
	p.open++
	p.ends = append(p.ends, hijacked.Conn)
	return &pooled{hijacked, bufio.NewReader(hijacked.Conn)}, nil
}

func (p *pooler) give(s *pooled) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, s)
	p.changed.Broadcast()
}

// giveIfShared ends a transaction.
func (p *pooler) giveIfShared(s *pooled) bool {
	p.mu.Lock()
	shared := p.transactions
	p.mu.Unlock()
	if shared {
		p.give(s)
	}
	return shared
}

// message reads a message whole; its first byte is its type.
func message(r io.Reader) ([]byte, error) {
	head := make([]byte, 5)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
	_, err := io.ReadFull(r, body)
	return append(head, body...), err
}

func (p *pooler) serve(client net.Conn) {
	backend := pgproto3.NewBackend(client, client)
	if _, err := backend.ReceiveStartupMessage(); err != nil {
		return
	}
	var s *pooled
	defer func() {
		if s == nil {
			return
		}
		if p.resets {
			_, _ = s.Conn.Write(append([]byte{'Q', 0, 0, 0, 16}, "DISCARD ALL\x00"...))
			_, _ = s.answer(io.Discard)
		}
		p.give(s)
	}()
	backend.Send(&pgproto3.AuthenticationOk{})
	for name, value := range map[string]string{"server_version": "0.0", "server_encoding": "UTF8", "client_encoding": "UTF8", "standard_conforming_strings": "on"} {
		backend.Send(&pgproto3.ParameterStatus{Name: name, Value: value})
	}
	backend.Send(&pgproto3.BackendKeyData{ProcessID: rand.Uint32() | 1<<31, SecretKey: []byte{1, 2, 3, 4}})
	backend.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	if backend.Flush() != nil {
		return
	}
	in := bufio.NewReader(client)
	for {
		m, err := message(in)
		if err != nil || m[0] == 'X' {
			return
		}
		if s == nil {
			if s, err = p.take(); err != nil {
				return
			}
		}
		_, lost := s.Conn.Write(m)
		if lost == nil && m[0] != 'S' && m[0] != 'Q' {
			continue
		}
		var status byte
		if lost == nil {
			status, err = s.answer(client)
		}
		if status == 0 { // what PgBouncer says then
			backend.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "08P01", Message: "server conn crashed?"})
			_ = backend.Flush()
			p.lose(s)
			s = nil
			return
		}
		if status == 'I' && p.giveIfShared(s) {
			s = nil
		}
		if err != nil {
			return
		}
	}
}

// lose forgets a process that ended.
func (p *pooler) lose(s *pooled) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = s.Conn.Close()
	p.open--
	p.changed.Broadcast()
}

// answer passes on what the server says up to the end of a transaction or of a
// statement in one.
func (s *pooled) answer(to io.Writer) (status byte, writeErr error) {
	for {
		m, err := message(s.in)
		if err != nil {
			return 0, err
		}
		if writeErr == nil {
			_, writeErr = to.Write(m)
		}
		if m[0] == 'Z' {
			return m[5], writeErr
		}
	}
}
