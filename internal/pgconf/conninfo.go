package pgconf

import (
	"net/url"
	"strings"
)

// endpoint is one of the places to which a connection string leads. What is left
// open is empty.
type endpoint struct{ host, addr, port string }

// endpoints reads where a connection string leads. ok is false where it cannot be
// read, or where another file has a say in it (service).
func endpoints(conninfo string) (list []endpoint, ok bool) {
	var words map[string]string
	for _, scheme := range []string{"postgresql://", "postgres://"} {
		if rest, is := strings.CutPrefix(conninfo, scheme); is {
			if words, ok = uriWords(rest); !ok {
				return nil, false
			}
		}
	}
	if words == nil {
		if words, ok = keywords(conninfo); !ok {
			return nil, false
		}
	}
	if words["service"] != "" || words["servicefile"] != "" {
		return nil, false
	}
	hosts, addrs, ports := strings.Split(words["host"], ","), strings.Split(words["hostaddr"], ","), strings.Split(words["port"], ",")
	if words["hostaddr"] == "" {
		addrs = make([]string, len(hosts))
	}
	if words["host"] == "" {
		hosts = make([]string, len(addrs))
	}
	if len(ports) == 1 { // is for all
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

const blanks = " \t\n\r\f\v"

// keywords reads "name = value" pairs (conninfo_parse, libpq/fe-connect.c). Of
// several of a name the last one counts.
func keywords(s string) (words map[string]string, ok bool) {
	words = map[string]string{}
	for {
		s = strings.TrimLeft(s, blanks)
		if s == "" {
			return words, true
		}
		name, rest, found := strings.Cut(s, "=")
		name = strings.TrimRight(name, blanks)
		if !found || name == "" || strings.ContainsAny(name, blanks) {
			return nil, false
		}
		var value string
		if value, s, ok = keywordValue(strings.TrimLeft(rest, blanks)); !ok {
			return nil, false
		}
		words[name] = value
	}
}

// keywordValue reads a value, which quotes can enclose. A backslash takes the next
// character as it is.
func keywordValue(s string) (value, rest string, ok bool) {
	s, quoted := strings.CutPrefix(s, "'")
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case c == '\\':
		case quoted && c == '\'':
			return b.String(), s[i+1:], true
		case !quoted && strings.IndexByte(blanks, c) >= 0:
			return b.String(), s[i:], true
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), "", !quoted
}

// uriWords reads what follows the scheme: [user[:password]@][hosts][/database][?parameters]
// (conninfo_uri_parse_options, libpq/fe-connect.c).
func uriWords(s string) (words map[string]string, ok bool) {
	words = map[string]string{}
	place, query, _ := strings.Cut(s, "?")
	place, _, _ = strings.Cut(place, "/")
	if at := strings.IndexByte(place, '@'); at >= 0 {
		place = place[at+1:]
	}
	var hosts, ports []string
	for h := range strings.SplitSeq(place, ",") {
		host, port, _ := strings.Cut(h, ":")
		if rest, is := strings.CutPrefix(h, "["); is { // an IPv6 address
			var after string
			if host, after, is = strings.Cut(rest, "]"); !is {
				return nil, false
			}
			port = strings.TrimPrefix(after, ":")
		}
		hosts, ports = append(hosts, host), append(ports, port)
	}
	words["host"], words["port"] = strings.Join(hosts, ","), strings.Join(ports, ",")
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if words[name] = value; name == "" {
			delete(words, name)
		}
	}
	for name, value := range words {
		plain, err := url.PathUnescape(value)
		if err != nil {
			return nil, false
		}
		words[name] = plain
	}
	return words, true
}
