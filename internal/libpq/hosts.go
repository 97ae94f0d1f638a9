package libpq

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/gorewind/gorewind/internal/libpq/conninfo"
)

// host is one of the hosts to try.
type host struct {
	conninfo.Host
	encryptions []*tls.Config // to try in order; nil means unencrypted
}

// serverName is the name of the server in messages.
func serverName(h host) string {
	name := h.String()
	if h.Addr != "" && h.Name != "" && h.Name != h.Addr {
		name = fmt.Sprintf("%s (%s)", h.Name, name)
	}
	return "server on " + name
}

// place is an address of a host.
type place struct {
	host
	addr string // an IP address, or a name that is resolved elsewhere; empty for a Unix socket
}

// resolve finds the addresses of a host.
func (c *Connector) resolve(ctx context.Context, h host, limit time.Duration) ([]place, error) {
	switch {
	case h.IsUnix():
		return []place{{host: h}}, nil
	case h.Addr != "":
		return []place{{h, h.Addr}}, nil
	case c.lookup == nil:
		return []place{{h, h.Name}}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	addrs, err := c.lookup(ctx, h.Name)
	places := make([]place, len(addrs))
	for i, addr := range addrs {
		places[i] = place{h, addr}
	}
	if c.shuffle {
		rand.Shuffle(len(places), func(i, j int) { places[i], places[j] = places[j], places[i] })
	}
	return places, err
}

// pin keeps only the place that the connection went to, with the same
// encryption. Another place may be a server that looks the same but is not:
// of two standbys, each has its own pages.
func (c *Connector) pin(p place, isTLS bool) {
	c.pinned = &isTLS
	c.passes = []string{"any"} // the server is now chosen
	if p.addr != "" {
		if p.Name == "" {
			p.Name = p.Addr
		}
		p.Addr = p.addr
	}
	c.hosts = []host{p.host}
}

// Prefer keeps only the host that another connector is connected to, if
// it is among the hosts.
func (c *Connector) Prefer(other *Connector) {
	for _, h := range c.hosts {
		if o := other.hosts[0]; h.Port == o.Port && (h.Name == o.Name || h.Addr == o.Addr && h.Addr != "") {
			c.hosts = []host{h}
			break
		}
	}
}
