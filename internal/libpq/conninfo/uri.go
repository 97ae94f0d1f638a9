package conninfo

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// parseURI reads what follows the scheme:
//
//	[user[:password]@][host][:port][,...][/dbname][?keyword=value[&...]]
//
// skipped is the length of the scheme, for positions in messages.
func (p *parser) parseURI(s string, skipped int) error {
	if i := strings.IndexAny(s, "@/"); i >= 0 && s[i] == '@' {
		user, password, _ := strings.Cut(s[:i], ":")
		if err := p.storeParts("user", user, "password", password); err != nil {
			return err
		}
		skipped += i + 1
		s = s[i+1:]
	}
	if strings.Contains(s, "@") {
		p.settings.suspect = true
	}
	hosts, ports, rest, err := p.cutHosts(s, skipped)
	if err != nil {
		return err
	}
	dbname, params, _ := strings.Cut(rest, "?")
	dbname = strings.TrimPrefix(dbname, "/")
	if err := p.storeParts("host", hosts, "port", ports, "dbname", dbname); err != nil {
		return err
	}
	for params != "" {
		var param string
		param, params, _ = strings.Cut(params, "&")
		if err := p.parseParam(param); err != nil {
			return err
		}
	}
	return nil
}

// cutHosts reads "host:port,host:port", with IPv6 addresses in brackets, into two
// lists. Without a "/" or a "?" it reads everything.
func (p *parser) cutHosts(s string, skipped int) (hosts, ports, rest string, err error) {
	all := s
	for {
		if strings.HasPrefix(s, "[") {
			end := strings.IndexByte(s, ']')
			switch {
			case end < 0:
				return "", "", "", errors.New(`end of string reached when looking for matching "]" in IPv6 host address in URI`)
			case end == 1:
				return "", "", "", errors.New("IPv6 host address may not be empty in URI")
			}
			hosts += s[1:end]
			if s = s[end+1:]; s != "" && !strings.ContainsRune(":/?,", rune(s[0])) {
				return "", "", "", fmt.Errorf(`unexpected character at position %d in URI (expected ":" or "/")`, skipped+len(all)-len(s)+1)
			}
		} else {
			end := endOf(s, ":/?,")
			hosts += s[:end]
			s = s[end:]
		}
		if strings.HasPrefix(s, ":") {
			end := endOf(s, "/?,")
			ports += s[1:end]
			s = s[end:]
		}
		if !strings.HasPrefix(s, ",") {
			return hosts, ports, s, nil
		}
		hosts, ports, s = hosts+",", ports+",", s[1:]
	}
}

// endOf is the index of the first of some characters, or the end.
func endOf(s, chars string) int {
	if i := strings.IndexAny(s, chars); i >= 0 {
		return i
	}
	return len(s)
}

// storeParts sets keywords to those parts of a URI that are not empty.
func (p *parser) storeParts(keywordsAndParts ...string) error {
	for pair := range slices.Chunk(keywordsAndParts, 2) {
		keyword, part := pair[0], pair[1]
		value, err := decode(trimmed(part))
		if err != nil {
			return fmt.Errorf("%w in the %s of the URI", err, keyword)
		}
		if part != "" {
			_ = p.store(keyword, value) // all of these keywords are known
		}
	}
	return nil
}

// trimmed is a part of a URI without surrounding white space. Up to libpq 17
// that was part of the value. White space inside is kept here, while libpq 18 refuses it.
func trimmed(part string) string { return strings.Trim(part, spaces) }

func (p *parser) parseParam(param string) error {
	keyword, value, ok := strings.Cut(param, "=")
	if !ok {
		return fmt.Errorf(`missing key/value separator "=" in URI query parameter: %s`, p.mention(keyword))
	}
	if strings.Contains(value, "=") {
		return fmt.Errorf(`extra key/value separator "=" in URI query parameter: %s`, p.mention(keyword))
	}
	keyword, err := decode(trimmed(keyword))
	if err != nil {
		return fmt.Errorf("%w in a URI query parameter", err)
	}
	if value, err = decode(trimmed(value)); err != nil {
		return fmt.Errorf("%w in the value of URI query parameter %s", err, p.mention(keyword))
	}
	if keyword == "ssl" && value == "true" { // as in JDBC
		keyword, value = "sslmode", "require"
	}
	if p.store(keyword, value) != nil {
		return fmt.Errorf("invalid URI query parameter: %s", p.mention(keyword))
	}
	return nil
}

// decode decodes percent-encoding. A plus sign remains a plus sign.
func decode(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) || hexDigit(s[i+1]) < 0 || hexDigit(s[i+2]) < 0 {
			return "", errors.New("invalid percent-encoded token")
		}
		c := hexDigit(s[i+1])<<4 | hexDigit(s[i+2])
		if c == 0 {
			return "", errors.New("forbidden value %00")
		}
		b.WriteByte(byte(c))
		i += 2
	}
	return b.String(), nil
}

func hexDigit(c byte) int { return strings.IndexByte("0123456789abcdef", c|0x20) }
