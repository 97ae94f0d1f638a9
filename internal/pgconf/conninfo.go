package pgconf

import (
	"strings"

	"github.com/gorewind/gorewind/internal/libpq/conninfo"
)

// endpoint is one of the servers that a connection string leads to. What the string leaves
// out is empty.
type endpoint struct{ host, addr, port string }

// endpoints returns where a connection string leads. ok is false if it cannot be
// parsed, or if it also depends on another file (service).
func endpoints(connString string) (list []endpoint, ok bool) {
	settings, err := conninfo.Parse(connString)
	if err != nil || settings.Value("service") != "" || settings.Value("servicefile") != "" {
		return nil, false
	}
	values := func(keyword string) []string { return strings.Split(settings.Value(keyword), ",") }
	hosts, addrs, ports := values("host"), values("hostaddr"), values("port")
	if settings.Value("hostaddr") == "" {
		addrs = make([]string, len(hosts))
	}
	if settings.Value("host") == "" {
		hosts = make([]string, len(addrs))
	}
	if len(ports) == 1 { // it applies to all hosts
		for len(ports) < len(hosts) {
			ports = append(ports, ports[0])
		}
	}
	if len(hosts) != len(addrs) || len(hosts) != len(ports) {
		return nil, false
	}
	for i := range hosts {
		list = append(list, endpoint{hosts[i], addrs[i], ports[i]})
	}
	return list, true
}
