// Package rogueserver is for tests: a man in the middle between a client and a real
// PostgreSQL server. Everything is normal up to the message at which an
// attack begins.
package rogueserver

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// Attack is an attack on a client and its trigger: the first message of a server on a
// connection for which all given conditions hold.
type Attack struct {
	SQL  string // the client has sent a query containing this on the connection
	Kind byte   // the type of the message in the protocol; zero: any
	Nth  int    // the number of the message on the connection; zero: any
	Once bool   // on one connection only
	// Do attacks. When it returns false, the connection is cut. When it returns true,
	// everything continues normally after the message at which it began.
	Do func(v *Victim) bool
}

// Server is the man in the middle.
type Server struct {
	attack   Attack
	listener net.Listener
	real     string
	began    atomic.Int64 // attacks
	messages atomic.Int64 // the most on one connection
	ended    chan struct{}
	all      sync.WaitGroup
}

// Start listens in front of the server at a TCP address.
func Start(real string, attack Attack) (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{attack: attack, listener: l, real: real, ended: make(chan struct{})}
	s.all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.all.Go(func() { s.serve(conn) })
		}
	})
	return s, nil
}

// Port is the port on which it listens, at 127.0.0.1.
func (s *Server) Port() int { return s.listener.Addr().(*net.TCPAddr).Port }

// Began is how often it attacked.
func (s *Server) Began() int { return int(s.began.Load()) }

// Messages is how many messages the real server sent on the connection that
// had the most.
func (s *Server) Messages() int { return int(s.messages.Load()) }

// Close closes everything.
func (s *Server) Close() {
	_ = s.listener.Close()
	close(s.ended)
	s.all.Wait()
}

// Codes that a client can send instead of a startup message.
const (
	cancelCode = 80877102
	sslCode    = 80877103
	gssCode    = 80877104
)

func (s *Server) serve(client net.Conn) {
	defer func() { _ = client.Close() }()
	packet, err := startup(client)
	if err != nil || binary.BigEndian.Uint32(packet[4:]) == cancelCode {
		return
	}
	server, err := net.Dial("tcp", s.real)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	if _, err := server.Write(packet); err != nil {
		return
	}
	over := make(chan struct{})
	defer close(over)
	s.all.Go(func() {
		select {
		case <-s.ended:
		case <-over:
		}
		_, _ = client.Close(), server.Close()
	})
	v := &Victim{conn: client, Asked: make(chan []byte, 64), over: make(chan struct{})}
	s.all.Go(func() { v.listen(server) })
	s.relay(v, server)
}

// startup reads a client's startup message. Encryption is refused.
func startup(client net.Conn) ([]byte, error) {
	for {
		head := make([]byte, 8)
		if _, err := io.ReadFull(client, head); err != nil {
			return nil, err
		}
		packet := append(head, make([]byte, max(int(binary.BigEndian.Uint32(head))-8, 0))...)
		if _, err := io.ReadFull(client, packet[8:]); err != nil {
			return nil, err
		}
		if code := binary.BigEndian.Uint32(head[4:]); code != sslCode && code != gssCode {
			return packet, nil
		}
		if _, err := client.Write([]byte("N")); err != nil {
			return nil, err
		}
	}
}

// relay forwards what the server sends, up to the attack.
func (s *Server) relay(v *Victim, server net.Conn) {
	for n := 1; ; n++ {
		m, err := message(server)
		if err != nil {
			return
		}
		for most := s.messages.Load(); int64(n) > most && !s.messages.CompareAndSwap(most, int64(n)); most = s.messages.Load() {
		}
		if s.attacks(v, m, n) {
			v.Message = m
			if !s.attack.Do(v) {
				return
			}
			continue
		}
		if !v.Raw(m) {
			return
		}
	}
}

func (s *Server) attacks(v *Victim, m []byte, n int) bool {
	a := s.attack
	if a.Do == nil || a.Kind != 0 && a.Kind != m[0] || a.Nth != 0 && a.Nth != n || a.SQL != "" && !v.asked(a.SQL) {
		return false
	}
	if a.Once && s.began.Load() > 0 {
		return false
	}
	s.began.Add(1)
	return true
}

func message(from io.Reader) ([]byte, error) {
	head := make([]byte, 5)
	if _, err := io.ReadFull(from, head); err != nil {
		return nil, err
	}
	m := append(head, make([]byte, max(int(binary.BigEndian.Uint32(head[1:]))-4, 0))...)
	_, err := io.ReadFull(from, m[5:])
	return m, err
}

// Victim is a client under attack.
type Victim struct {
	Message []byte      // the message at which the attack begins, with its header; it was not forwarded
	Asked   chan []byte // what the client sends in the meantime; messages that do not fit are lost

	conn  net.Conn
	taken atomic.Bool
	over  chan struct{} // closed when the client disconnects
	mu    sync.Mutex
	texts []string // the texts of the queries
}

// listen reads what the client sends, and forwards it unless Take was called.
func (v *Victim) listen(server net.Conn) {
	defer close(v.over)
	for {
		m, err := message(v.conn)
		if err != nil {
			return
		}
		if m[0] == 'P' || m[0] == 'Q' {
			v.mu.Lock()
			v.texts = append(v.texts, string(m))
			v.mu.Unlock()
		}
		if !v.taken.Load() {
			if _, err := server.Write(m); err != nil {
				return
			}
			continue
		}
		select {
		case v.Asked <- m:
		default:
		}
	}
}

func (v *Victim) asked(text string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, t := range v.texts {
		if strings.Contains(t, text) {
			return true
		}
	}
	return false
}

// Take stops forwarding what the client sends to the server.
func (v *Victim) Take() { v.taken.Store(true) }

// Raw sends bytes, and reports whether the client is still connected.
func (v *Victim) Raw(b []byte) bool {
	_, err := v.conn.Write(b)
	return err == nil
}

// Send sends messages.
func (v *Victim) Send(messages ...pgproto3.BackendMessage) bool { return v.Raw(Bytes(messages...)) }

// Forever sends bytes again and again, as fast as the client reads them.
func (v *Victim) Forever(b []byte) bool {
	b = bytes.Repeat(b, max(1, (64<<10)/len(b)))
	for v.Raw(b) { //nolint:revive // until the client disconnects
	}
	return false
}

// Drip sends bytes one by one, and then the last one for ever.
func (v *Victim) Drip(b []byte, pause time.Duration) bool {
	for v.Raw(b[:1]) {
		if len(b) > 1 {
			b = b[1:]
		}
		select {
		case <-v.over:
			return false
		case <-time.After(pause):
		}
	}
	return false
}

// Wait stays silent until the client disconnects.
func (v *Victim) Wait() bool {
	<-v.over
	return false
}

// Bytes encodes messages.
func Bytes(messages ...pgproto3.BackendMessage) []byte {
	var b []byte
	for _, m := range messages {
		var err error
		if b, err = m.Encode(b); err != nil {
			panic(err) // a test's own message is invalid
		}
	}
	return b
}

// Row encodes a row with these values, where nil is NULL.
func Row(values ...[]byte) []byte { return Bytes(&pgproto3.DataRow{Values: values}) }

// Header encodes the header of a message with a body of that length.
func Header(kind byte, length uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{kind}, length+4)
}
