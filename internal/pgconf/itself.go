package pgconf

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Here is what a server's configuration does not say about where the server runs.
type Here struct {
	CommandLine []byte       // postmaster.opts: how the server was last started; or nil
	Hostname    string       // of this machine, or empty
	Addresses   []netip.Addr // of this machine
}

// ThisMachine returns the name and the addresses of this machine, as far as
// they can be determined.
func ThisMachine() Here {
	var h Here
	h.Hostname, _ = os.Hostname()
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			h.Addresses = append(h.Addresses, p.Addr().Unmap())
		}
	}
	return h
}

const defaultPort = "5432"

// PointsToItself reports whether a connection string, such as primary_conninfo,
// leads to the server that has this configuration, on this machine: a standby
// with that waits for itself for ever. Only certain cases are reported: if there are several
// hosts, all must be this server, and the only known names are localhost and the machine's
// own. Settings from the environment or a service file are not considered.
func (c *Config) PointsToItself(conninfo string, here Here) bool {
	list, ok := endpoints(conninfo)
	if !ok {
		return false
	}
	own := commandLine(here.CommandLine)
	for _, name := range []string{"port", "listen_addresses", "unix_socket_directories"} {
		if value, set := c.Lookup(name); set {
			if _, set := own[name]; !set {
				own[name] = value
			}
		}
	}
	for _, e := range list {
		if !samePort(e.port, own["port"]) || !leadsTo(e, own, here) {
			return false
		}
	}
	return true
}

func samePort(a, b string) bool {
	number := func(s string) (int, error) {
		if s == "" {
			s = defaultPort
		}
		return strconv.Atoi(s)
	}
	n, err1 := number(a)
	m, err2 := number(b)
	return err1 == nil && err2 == nil && n == m
}

// leadsTo reports whether a server with these settings listens there.
func leadsTo(e endpoint, own map[string]string, here Here) bool {
	host := e.host
	if e.addr != "" {
		host = e.addr
	}
	if host == "" { // both have their built-in default
		_, set := own["unix_socket_directories"]
		return !set
	}
	if filepath.IsAbs(host) {
		for dir := range elements(own["unix_socket_directories"]) {
			if filepath.IsAbs(dir) && withoutLinks(dir) == withoutLinks(host) {
				return true
			}
		}
		return false
	}
	listens := map[string]bool{}
	addresses, set := own["listen_addresses"]
	if !set {
		addresses = "localhost"
	}
	for a := range elements(addresses) {
		listens[lower(a)] = true
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return listensAt(ip.Unmap(), listens, here)
	}
	host = lower(host)
	switch {
	case host == "localhost":
		return listens["*"] || listens["0.0.0.0"] || listens["localhost"] || listens["127.0.0.1"] || listens["::1"]
	case here.Hostname != "" && host == lower(here.Hostname):
		return listens["*"] || listens["0.0.0.0"] || listens[host]
	}
	return false
}

func listensAt(ip netip.Addr, listens map[string]bool, here Here) bool {
	if listens["*"] || listens[ip.String()] || ip.Is4() && listens["0.0.0.0"] || ip.Is6() && listens["::"] ||
		listens["localhost"] && (ip == netip.AddrFrom4([4]byte{127, 0, 0, 1}) || ip == netip.IPv6Loopback()) {
		for _, a := range here.Addresses {
			if a == ip {
				return true
			}
		}
		return ip.IsLoopback()
	}
	return false
}

// elements splits a list of addresses or directories, whose elements can be in quotes.
func elements(s string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for e := range strings.SplitSeq(s, ",") {
			e = strings.Trim(strings.TrimSpace(e), `"`)
			if e != "" && !yield(e) {
				return
			}
		}
	}
}

// withoutLinks gives different names of a directory the same form: /var/run is /run.
func withoutLinks(dir string) string {
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		return real
	}
	return filepath.Clean(dir)
}

// Options of the server that take an argument, and those that are settings
// (postmaster/postmaster.c).
const withArgument = "BCcDdfhkNprStvW"

var shortSettings = map[byte]string{'p': "port", 'h': "listen_addresses", 'k': "unix_socket_directories"}

// commandLine returns the settings in postmaster.opts: it contains the program and every
// argument in quotes, without escaping quotes in them (CreateOptsFile).
func commandLine(opts []byte) map[string]string {
	own := map[string]string{}
	setting := func(s string) {
		name, value, _ := strings.Cut(s, "=")
		own[lower(strings.ReplaceAll(name, "-", "_"))] = value
	}
	_, rest, _ := strings.Cut(strings.TrimSuffix(string(opts), "\n"), ` "`)
	args := strings.Split(strings.TrimSuffix(rest, `"`), `" "`)
	for i := 0; i < len(args); i++ {
		if long, is := strings.CutPrefix(args[i], "--"); is {
			setting(long)
			continue
		}
		for j := 1; j < len(args[i]) && args[i][0] == '-'; j++ {
			letter := args[i][j]
			if letter == 'i' {
				own["listen_addresses"] = "*"
			}
			if strings.IndexByte(withArgument, letter) < 0 {
				continue
			}
			value := args[i][j+1:]
			if value == "" && i+1 < len(args) {
				i++
				value = args[i]
			}
			if letter == 'c' {
				setting(value)
			} else if name := shortSettings[letter]; name != "" {
				own[name] = value
			}
			break
		}
	}
	return own
}
