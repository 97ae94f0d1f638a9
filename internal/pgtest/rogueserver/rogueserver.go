// Package rogueserver is for tests: a man in the middle between a client and a real
// PostgreSQL server. Everything looks as it should, up to the message at which an
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

// Attack is what is done to a client, and when: at the first message of a server on a
// connection for which all that is given here holds.
type Attack struct {
	SQL  string // the client has asked something on the connection that has this in it
	Kind byte   // the kind of the message, as in the protocol; zero: any
	Nth  int    // which of the messages of the connection it is; zero: any
	Once bool   // on one connection only
	// Do does it. When it returns, the connection is cut, unless it gives true: then
	// all goes on as if nothing had been, after the message at which it began.
	Do func(v *Victim) bool
}

// Server is the man in the middle.
type Server struct {
	attack   Attack
	listener net.Listener
	real     string
	began    atomic.Int64 // attacks
	messages atomic.Int64 // of the connection that had most
	ended    chan struct{}
	all      sync.WaitGroup
}

// Start stands before the server that listens at an address of TCP.
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

// Port is where it listens, at 127.0.0.1.
func (s *Server) Port() int { return s.listener.Addr().(*net.TCPAddr).Port }

// Began tells how often it attacked.
func (s *Server) Began() int { return int(s.began.Load()) }

// Messages is how many messages of the real server there were on the connection that
// had most of them.
func (s *Server) Messages() int { return int(s.messages.Load()) }

// Close ends everything.
func (s *Server) Close() {
	_ = s.listener.Close()
	close(s.ended)
	s.all.Wait()
}

// Codes of what a client can send instead of a startup message.
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

// startup reads what a client begins with. There is no encryption.
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

// relay passes on what the server sends, up to the attack.
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

// Victim is a client that is attacked.
type Victim struct {
	Message []byte      // at which the attack begins, with its header; it was not passed on
	Asked   chan []byte // what the client sends meanwhile; what does not fit is lost

	conn  net.Conn
	taken atomic.Bool
	over  chan struct{} // the client has hung up
	mu    sync.Mutex
	texts []string // of what was asked
}

// listen reads what the client sends, and passes it on unless Take was called.
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

// Take keeps what the client sends from the server from now on.
func (v *Victim) Take() { v.taken.Store(true) }

// Raw sends bytes, and reports whether the client is still there.
func (v *Victim) Raw(b []byte) bool {
	_, err := v.conn.Write(b)
	return err == nil
}

// Send sends messages.
func (v *Victim) Send(messages ...pgproto3.BackendMessage) bool { return v.Raw(Bytes(messages...)) }

// Forever sends bytes again and again, as fast as the client takes them.
func (v *Victim) Forever(b []byte) bool {
	b = bytes.Repeat(b, max(1, (64<<10)/len(b)))
	for v.Raw(b) { //nolint:revive // until it hangs up
	}
	return false
}

// Drip sends bytes one by one, and then the last of them for ever.
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

// Wait stays silent until the client hangs up.
func (v *Victim) Wait() bool {
	<-v.over
	return false
}

// Bytes are messages as they are sent.
func Bytes(messages ...pgproto3.BackendMessage) []byte {
	var b []byte
	for _, m := range messages {
		var err error
		if b, err = m.Encode(b); err != nil {
			panic(err) // it is a test's own message that cannot be
		}
	}
	return b
}

// Row is a row with these values, of which nil is NULL.
func Row(values ...[]byte) []byte { return Bytes(&pgproto3.DataRow{Values: values}) }

// Header is the beginning of a message with a body of a length.
func Header(kind byte, length uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{kind}, length+4)
}
