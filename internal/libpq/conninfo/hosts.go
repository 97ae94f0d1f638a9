package conninfo

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// Host is one of the hosts to try.
type Host struct {
	Name string // host name, or directory of a Unix socket; may be empty if Addr is not
	Addr string // the address to connect to, if hostaddr is set
	Port string // a number
}

// socketDirs are the default directories of servers' Unix sockets: on Debian and
// its derivatives, and in PostgreSQL itself.
var socketDirs = []string{"/var/run/postgresql", "/tmp"}

// IsUnix reports whether the host is a directory of Unix sockets. A name that
// starts with an at sign is in the abstract namespace of Linux.
func (h Host) IsUnix() bool {
	return h.Addr == "" && (filepath.IsAbs(h.Name) || strings.HasPrefix(h.Name, "/") || strings.HasPrefix(h.Name, "@"))
}

// Socket is the path of the Unix socket.
func (h Host) Socket() string { return strings.TrimSuffix(h.Name, "/") + "/.s.PGSQL." + h.Port }

// String describes in messages where the server is.
func (h Host) String() string {
	switch {
	case h.IsUnix():
		return h.Name + " port " + h.Port
	case h.Addr != "":
		return net.JoinHostPort(h.Addr, h.Port)
	default:
		return net.JoinHostPort(h.Name, h.Port)
	}
}

// Hosts pairs host, hostaddr and port, which are lists.
func (s *Settings) Hosts() ([]Host, error) {
	names := strings.Split(s.Value("host"), ",")
	addrs := strings.Split(s.Value("hostaddr"), ",")
	ports := strings.Split(s.Value("port"), ",")
	n := len(names)
	if s.Value("hostaddr") != "" {
		n = len(addrs)
		if s.Value("host") != "" && len(names) != n {
			return nil, fmt.Errorf("could not match %d host names to %d hostaddr values", len(names), n)
		}
	}
	if len(ports) != 1 && len(ports) != n {
		return nil, fmt.Errorf("could not match %d port numbers to %d hosts", len(ports), n)
	}
	hosts := make([]Host, n)
	for i := range hosts {
		h := &hosts[i]
		if i < len(names) {
			h.Name = names[i]
		}
		if i < len(addrs) {
			h.Addr = addrs[i]
		}
		h.Port = ports[min(i, len(ports)-1)]
		if err := h.complete(); err != nil {
			return nil, err
		}
	}
	return hosts, nil
}

func (h *Host) complete() error {
	if h.Port == "" {
		h.Port = DefaultPort
	}
	// Anything that is not a number may be a piece of a password.
	port, err := strconv.Atoi(strings.Trim(h.Port, spaces))
	if err != nil {
		return fmt.Errorf(`invalid integer value for connection option "port"`)
	}
	h.Port = strconv.Itoa(port)
	if port < 1 || port > 65535 {
		return fmt.Errorf(`invalid port number: "%d"`, port)
	}
	if h.Addr != "" && net.ParseIP(withoutZone(h.Addr)) == nil {
		return fmt.Errorf(`could not parse network address "%s": hostaddr takes addresses, not names`, h.Addr)
	}
	if h.Name == "" && h.Addr == "" {
		h.Name = defaultHost(h.Port)
	}
	return nil
}

// withoutZone is an IPv6 address without its zone.
func withoutZone(addr string) string {
	addr, _, _ = strings.Cut(addr, "%")
	return addr
}

// defaultHost is where libpq connects if no host is given. The directory is
// compiled into libpq; here it is the first one with a socket of that port.
func defaultHost(port string) string {
	if runtime.GOOS == "windows" {
		return "localhost"
	}
	for _, dir := range socketDirs {
		if _, err := os.Stat(Host{Name: dir, Port: port}.Socket()); err == nil {
			return dir
		}
	}
	for _, dir := range socketDirs {
		if _, err := os.Stat(dir); err == nil {
			return dir
		}
	}
	return "localhost"
}
