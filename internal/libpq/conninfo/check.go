package conninfo

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Check refuses values that libpq refuses, with the same messages, and those that are not
// supported here. Call it after Complete.
func (s *Settings) Check() error {
	for _, k := range Keywords {
		value, ok := s.values[k.Name]
		switch {
		case !ok:
		case k.Values != nil && !slices.Contains(k.Values, value):
			return s.invalid(k.Name, value)
		case k.Integer && s.matters(k.Name):
			if _, _, err := s.Int(k.Name); err != nil {
				return err
			}
		case k.Use == Refused && value != "":
			return fmt.Errorf("connection option %q is not supported: specify the password, or put it into a password file", k.Name)
		}
	}
	for _, check := range []func() error{s.checkRequireAuth, s.checkSSL, s.checkGSS, s.checkProtocol} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// matters reports whether libpq checks a number: those of TCP only if it
// connects by TCP, and the details of keepalives only if they are on.
func (s *Settings) matters(keyword string) bool {
	isKeepalive := strings.HasPrefix(keyword, "keepalives")
	if !isKeepalive && keyword != "tcp_user_timeout" {
		return true
	}
	hosts, err := s.Hosts()
	if err == nil && !slices.ContainsFunc(hosts, func(h Host) bool { return !h.IsUnix() }) {
		return false
	}
	if isKeepalive && keyword != "keepalives" {
		on, given, err := s.Int("keepalives")
		return err == nil && (on != 0 || !given)
	}
	return true
}

func (s *Settings) invalid(keyword, value string) error {
	if s.suspect {
		return fmt.Errorf("invalid %s value", keyword)
	}
	return fmt.Errorf(`invalid %s value: "%s"`, keyword, value)
}

// Int is the value of a keyword that takes a 32-bit number.
func (s *Settings) Int(keyword string) (n int, given bool, err error) {
	value, ok := s.values[keyword]
	if !ok {
		return 0, false, nil
	}
	wide, err := strconv.ParseInt(strings.Trim(value, spaces), 10, 32)
	if err != nil {
		if s.suspect {
			value = "..."
		}
		return 0, false, fmt.Errorf(`invalid integer value "%s" for connection option "%s"`, value, keyword)
	}
	return int(wide), true, nil
}

// tlsVersions are in ascending order. Case does not matter.
var tlsVersions = []string{"tlsv1", "tlsv1.1", "tlsv1.2", "tlsv1.3"}

// TLSVersion is the index of the TLS version that a keyword names: 0 is 1.0,
// 3 is 1.3, -1 is none.
func (s *Settings) TLSVersion(keyword string) int {
	return slices.Index(tlsVersions, strings.ToLower(s.Value(keyword)))
}

func (s *Settings) checkSSL() error {
	for _, keyword := range []string{"ssl_min_protocol_version", "ssl_max_protocol_version"} {
		if value := s.Value(keyword); value != "" && s.TLSVersion(keyword) < 0 {
			return s.invalid(keyword, value)
		}
	}
	if maxVersion := s.TLSVersion("ssl_max_protocol_version"); maxVersion >= 0 && s.TLSVersion("ssl_min_protocol_version") > maxVersion {
		return errors.New("invalid SSL protocol version range")
	}
	mode := s.Value("sslmode")
	switch {
	case s.Value("sslrootcert") == "system" && mode != "verify-full":
		return fmt.Errorf(`weak sslmode "%s" may not be used with sslrootcert=system (use "verify-full")`, mode)
	case s.Value("sslnegotiation") == "direct" && !slices.Contains([]string{"require", "verify-ca", "verify-full"}, mode):
		return fmt.Errorf(`weak sslmode "%s" may not be used with sslnegotiation=direct (use "require", "verify-ca", or "verify-full")`, mode)
	case strings.Contains(s.Value("sslkey"), ":") && !strings.ContainsAny(s.Value("sslkey"), `/\`):
		return errors.New("sslkey names an OpenSSL engine, which is not supported: specify a file with the key")
	}
	return nil
}

func (s *Settings) checkProtocol() error {
	low, high := s.Value("min_protocol_version"), s.Value("max_protocol_version")
	if high != "" && slices.Index(protocolVersions, low) > slices.Index(protocolVersions, high) && high == "3.0" {
		return errors.New(`"min_protocol_version" is greater than "max_protocol_version"`)
	}
	return nil
}

func (s *Settings) checkGSS() error {
	if s.Value("gssencmode") == "require" {
		return errors.New(`gssencmode value "require" is not supported: use TLS instead of GSSAPI, with gssencmode=disable and sslmode=require or better`)
	}
	return nil
}

var authMethods = []string{"password", "md5", "gss", "sspi", "scram-sha-256", "oauth", "none"}

// checkRequireAuth checks a list of methods, of which either all or none start
// with an exclamation mark.
func (s *Settings) checkRequireAuth() error {
	list := s.Value("require_auth")
	if list == "" {
		return nil
	}
	var seen []string
	negated := strings.HasPrefix(list, "!")
	for part := range strings.SplitSeq(list, ",") {
		method, negative := strings.CutPrefix(part, "!")
		switch {
		case negative && !negated:
			return fmt.Errorf(`negative require_auth method "%s" cannot be mixed with non-negative methods`, method)
		case !negative && negated:
			return fmt.Errorf(`require_auth method "%s" cannot be mixed with negative methods`, method)
		case !slices.Contains(authMethods, method):
			return s.invalid("require_auth", method)
		case slices.Contains(seen, method):
			return fmt.Errorf(`require_auth method "%s" is specified more than once`, part)
		}
		seen = append(seen, method)
	}
	return nil
}
