package proxy

import (
	"context"
	"net"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/gorewind/gorewind/internal/pgtest/cluster"
)

// Proxy is a TCP port in front of a server, and a bad network: it can delay, throttle,
// stall and cut. It is closed when the test ends.
type Proxy struct {
	listener net.Listener

	mu       sync.Mutex
	server   endpoint
	changed  chan struct{} // closed when one of the fields below changes
	delay    time.Duration
	rate     int64 // bytes per second and connection from the server; zero: no limit
	wire     [2]way
	stalled  bool
	budget   int64 // bytes from the server after which the connection is cut; negative: none
	refusing bool
	links    map[*link]struct{}
	accepted int
}

// way is one direction of the wire that all connections share.
type way struct {
	bandwidth int64     // bytes per second; zero: no limit
	clear     time.Time // when everything sent so far has left
	carried   int64     // bytes
}

// The directions of the wire.
const (
	toServer = iota
	fromServer
)

// send puts bytes on the wire after what was sent before, and returns when the last of
// them will have left.
func (w *way) send(n int, now time.Time) time.Time {
	w.carried += int64(n)
	if w.bandwidth == 0 {
		return now
	}
	if w.clear.Before(now) {
		w.clear = now
	}
	w.clear = w.clear.Add(time.Duration(float64(n) / float64(w.bandwidth) * float64(time.Second)))
	return w.clear
}

type endpoint struct{ network, address string }

// link is one connection with its two ends.
type link struct{ client, server net.Conn }

func (l *link) close() {
	for _, end := range []net.Conn{l.client, l.server} {
		if tcp, ok := end.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // a reset; data in flight is lost
		}
		_ = end.Close()
	}
}

// Before puts a proxy in front of a server, whether that runs or not. The server sees
// its connections as local ones.
func Before(t T, c *cluster.Cluster) *Proxy {
	t.Helper()
	at := socket(c)
	return New(t, at.network, at.address)
}

// T is the part of testing.T that a proxy needs.
type T interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(func())
}

func socket(c *cluster.Cluster) endpoint {
	return endpoint{"unix", filepath.Join(c.SocketDir(), ".s.PGSQL."+strconv.Itoa(c.Port()))}
}

// Move leads new connections to another server, like an address
// that moves in a failover.
func (p *Proxy) Move(to *cluster.Cluster) { p.set(func() { p.server = socket(to) }) }

// New puts a proxy in front of any address.
func New(t T, network, address string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("no port for a proxy: %v", err)
	}
	p := &Proxy{listener: l, server: endpoint{network, address}, budget: -1, changed: make(chan struct{}), links: map[*link]struct{}{}}
	go p.serve()
	t.Cleanup(func() {
		_ = l.Close()
		p.Refuse(true)
		p.Stall(false)
		p.Cut()
	})
	return p
}

// Port is the port on which the proxy listens, on 127.0.0.1.
func (p *Proxy) Port() int { return p.listener.Addr().(*net.TCPAddr).Port }

// ConnString is a connection string for a role and a database through the proxy.
func (p *Proxy) ConnString(role, dbname string) string {
	return cluster.ConnString("127.0.0.1", p.Port(), role, dbname) + " sslmode=disable"
}

// set changes something and notifies everybody.
func (p *Proxy) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	close(p.changed)
	p.changed = make(chan struct{})
}

// Delay delays everything by that time, in each direction. Then no more than
// [window] bytes of a connection are in flight, as with TCP.
func (p *Proxy) Delay(d time.Duration) { p.set(func() { p.delay = d }) }

// Throttle limits what a connection receives from the server; zero lifts the limit.
func (p *Proxy) Throttle(bytesPerSecond int64) { p.set(func() { p.rate = bytesPerSecond }) }

// Bandwidth limits all connections together in each direction, like a wire;
// zero lifts the limit.
func (p *Proxy) Bandwidth(bytesPerSecond int64) {
	p.set(func() {
		for i := range p.wire {
			p.wire[i].bandwidth = bytesPerSecond
		}
	})
}

// Carried is how many bytes were carried so far, in both directions together.
func (p *Proxy) Carried() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.wire[toServer].carried + p.wire[fromServer].carried
}

// Stall silently lets nothing through any more, or everything again.
func (p *Proxy) Stall(on bool) { p.set(func() { p.stalled = on }) }

// Refuse closes new connections at once, or accepts them again.
func (p *Proxy) Refuse(on bool) { p.set(func() { p.refusing = on }) }

// Cut resets all connections.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.close()
	}
}

// CutAfter resets the connection that carries the n-th byte from the server from now on,
// once.
func (p *Proxy) CutAfter(n int64) { p.set(func() { p.budget = n }) }

// Accepted is how many connections there were, including requests to cancel a
// query.
func (p *Proxy) Accepted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accepted
}

func (p *Proxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		go p.connect(client)
	}
}

func (p *Proxy) connect(client net.Conn) {
	l := &link{client: client}
	p.mu.Lock()
	p.accepted++
	refusing, to := p.refusing, p.server
	p.mu.Unlock()
	server, err := (&net.Dialer{}).DialContext(context.Background(), to.network, to.address)
	if err != nil || refusing {
		_ = client.Close()
		if err == nil {
			_ = server.Close()
		}
		return
	}
	l.server = server
	p.mu.Lock()
	p.links[l] = struct{}{}
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { p.forward(l, l.server, l.client, toServer) })
	both.Go(func() { p.forward(l, l.client, l.server, fromServer) })
	both.Wait()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
	_ = l.client.Close()
	_ = l.server.Close()
}

// chunk is data in flight.
type chunk struct {
	data []byte
	due  time.Time // when it arrives
}

// window is how many bytes of a connection are in flight before their receipt is
// known, if there is a delay. It is that of Linux with its default buffers: one
// connection got 236 to 248 MB/s at a round trip of 10 ms.
const window = 2_400_000

// forward copies one direction up to its end, and passes the end on.
func (p *Proxy) forward(l *link, to, from net.Conn, direction int) {
	way, used := make(chan chunk, 256), make(chan []byte, 256)
	go func() {
		defer close(way)
		p.take(from, direction, way, used)
	}()
	for c := range way {
		time.Sleep(time.Until(c.due))
		for rest := c.data; len(rest) > 0; {
			n := p.pass(l, len(rest), direction)
			if n == 0 {
				break
			}
			if _, err := to.Write(rest[:n]); err != nil {
				l.close()
				break
			}
			rest = rest[n:]
		}
		select {
		case used <- c.data:
		default:
		}
	}
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

// take puts received data in flight, no more than a window at a time. It reuses
// buffers: a network takes none of this machine's time, so the proxy should take little.
func (p *Proxy) take(from net.Conn, direction int, way chan<- chunk, used <-chan []byte) {
	type receipt struct {
		bytes int
		at    time.Time
	}
	var (
		unknown  []receipt // in order
		underWay int
	)
	for {
		for underWay >= window {
			time.Sleep(time.Until(unknown[0].at))
			underWay -= unknown[0].bytes
			unknown = unknown[1:]
		}
		var data []byte
		select {
		case data = <-used:
			data = data[:cap(data)]
		default:
			data = make([]byte, 64<<10)
		}
		n, err := from.Read(data)
		if n > 0 {
			p.mu.Lock()
			delay := p.delay
			due := p.wire[direction].send(n, time.Now()).Add(delay)
			p.mu.Unlock()
			if delay > 0 {
				unknown = append(unknown, receipt{n, due.Add(delay)})
				underWay += n
			}
			way <- chunk{data[:n], due}
		}
		if err != nil {
			return
		}
	}
}

// pass waits until some of n bytes may continue, and returns how many.
func (p *Proxy) pass(l *link, n, direction int) int {
	for {
		p.mu.Lock()
		changed, stalled, rate := p.changed, p.stalled, p.rate
		if direction == fromServer && rate > 0 {
			n = min(n, max(1, int(rate/100)))
		}
		cut := false
		if direction == fromServer && !stalled && p.budget >= 0 {
			p.budget -= int64(n)
			cut = p.budget < 0
		}
		p.mu.Unlock()
		switch {
		case stalled:
			<-changed
			continue
		case cut:
			l.close()
			return 0
		case direction == fromServer && rate > 0:
			time.Sleep(time.Duration(n) * time.Second / time.Duration(rate))
		}
		return n
	}
}
