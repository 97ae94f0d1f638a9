package conninfo_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/libpq/conninfo"
)

// given is what a connection string sets, keyword=value in libpq's order.
func given(s *conninfo.Settings) string {
	var pairs []string
	for _, k := range conninfo.Keywords {
		if s.Value(k.Name) != "" {
			pairs = append(pairs, k.Name+"="+s.Value(k.Name))
		}
	}
	return strings.Join(pairs, "|")
}

// understood are connection strings with what libpq makes of them.
var understood = []struct{ name, conninfo, want string }{
	{"nothing", "", ""},
	{"only white space", " \t\n\v\f\r", ""},
	{"pairs", "host=db1 port=5433", "host=db1|port=5433"},
	{"white space around the equals sign", " host \t=\n db1  port= 1", "host=db1|port=1"},
	{"the last of equal keywords counts", "host=a host=b", "host=b"},
	{"an empty value takes no white space", "host= port=1", "host=port=1"},
	{"a quoted value", "user='a b' dbname='x'", "user=a b|dbname=x"},
	{"an empty quoted value", "host='' port=1", "port=1"},
	{"escapes in a quoted value", `user='it\'s \\ \x'`, `user=it's \ x`},
	{"escapes in a plain value", `user=a\ b\'c\\d`, `user=a b'c\d`},
	{"a backslash at the end", `user=a\`, "user=a"},
	{"a quote inside a plain value", "user=a'b' host=x", "user=a'b'|host=x"},
	{"no white space after a quoted value", "user='a'host=x", "user=a|host=x"},
	{"an equals sign in a value", "options=-csearch_path=x", "options=-csearch_path=x"},
	{"the ancient requiressl", "requiressl=1 host=x", "host=x|sslmode=require"},
	{"requiressl of zero", "requiressl=0", "sslmode=prefer"},

	{"an empty URI", "postgresql://", ""},
	{"the short scheme", "postgres://host", "host=host"},
	{"everything in a URI", "postgresql://user:pass@host:1/db?sslmode=disable", "user=user|password=pass|dbname=db|host=host|port=1|sslmode=disable"},
	{"only a user", "postgres://user@", "user=user"},
	{"a user and a database", "postgres://user@/db", "user=user|dbname=db"},
	{"an empty password", "postgres://user:@host", "user=user|host=host"},
	{"an empty user", "postgres://:pass@host", "password=pass|host=host"},
	{"a colon in the password", "postgres://u:a:b@h", "user=u|password=a:b|host=h"},
	{"only a port", "postgres://:5433/", "port=5433"},
	{"an empty database", "postgres://host/", "host=host"},
	{"a slash in the database", "postgres://host/a/b", "dbname=a/b|host=host"},
	{"no slash before the parameters", "postgres://host?user=u", "user=u|host=host"},
	{"nothing but parameters", "postgres:///?host=/tmp&port=1", "host=/tmp|port=1"},
	{"an empty parameter list", "postgres://host/?", "host=host"},
	{"parameters over parts", "postgres://a:1/x?host=b&port=2&dbname=y", "dbname=y|host=b|port=2"},
	{"an address of IPv6", "postgres://[2001:db8::1]:5433/db", "dbname=db|host=2001:db8::1|port=5433"},
	{"an address of IPv6 without a port", "postgres://u@[::1]?user=v", "user=v|host=::1"},
	{"several hosts", "postgres://a:1,b,[::1]:3/db", "dbname=db|host=a,b,::1|port=1,,3"},
	{"several hosts without ports", "postgres://a,b", "host=a,b|port=,"},
	{"a socket directory in the host", "postgres://%2Ftmp%2Fx:5433/db", "dbname=db|host=/tmp/x|port=5433"},
	{"percent-encoding everywhere", "postgres://%75:%70%40%2f@%68/d%20b?application%5fname=%61+b", "user=u|password=p@/|dbname=d b|host=h|application_name=a+b"},
	{"ssl as JDBC has it", "postgres://host?ssl=true", "host=host|sslmode=require"},
	{"requiressl in a URI", "postgres://host?requiressl=1", "host=host|sslmode=require"},
	{"keywords of the newest major", "min_protocol_version=3.0 servicefile=/x oauth_ca_file=/y", "servicefile=/x|min_protocol_version=3.0|oauth_ca_file=/y"},
	{"keywords of the oldest major", "tty=x authtype=y", "authtype=y|tty=x"},
}

// refused are connection strings with libpq's words about them. An ellipsis
// stands for what libpq quotes, but could be a piece of a password.
var refused = []struct{ name, conninfo, want string }{
	{"no equals sign", "host", `missing "=" after "host" in connection info string`},
	{"no equals sign after a pair", "host=a b c=d", `missing "=" after "b" in connection info string`},
	{"no equals sign after a password", "password=Top Secret", `missing "=" after "..." in connection info string`},
	{"an unknown keyword", "hots=a", `invalid connection option "hots"`},
	{"an unknown keyword after a password", "password=Top Secret=x", `invalid connection option "..."`},
	{"an unknown keyword that is no word", "a/b=c", `invalid connection option "..."`},
	{"upper case", "HOST=a", `invalid connection option "HOST"`},
	{"no keyword", "=a", `invalid connection option ""`},
	{"a quote without an end", "host='a", "unterminated quoted string in connection info string"},
	{"a quote with an escaped end", `password='Secret\'`, "unterminated quoted string in connection info string"},
	{"another scheme", "mysql://Secret@host", `missing "=" after "..." in connection info string`},
	{"an unknown parameter", "postgres://h?zzz=1", `invalid URI query parameter: "zzz"`},
	{"ssl that is not true", "postgres://h?ssl=1", `invalid URI query parameter: "ssl"`},
	{"a parameter that may be of a password", "postgres://u:To/p?Secret=x@h/db", `invalid URI query parameter: "..."`},
	{"a parameter without a value", "postgres://h?user", `missing key/value separator "=" in URI query parameter: "user"`},
	{"an empty parameter", "postgres://h?user=a&&", `missing key/value separator "=" in URI query parameter: ""`},
	{"a parameter with two values", "postgres://h?user=a=b", `extra key/value separator "=" in URI query parameter: "user"`},
	{"a bracket without an end", "postgres://u:Secret@[::1", `end of string reached when looking for matching "]" in IPv6 host address in URI`},
	{"brackets without an address", "postgres://[]", "IPv6 host address may not be empty in URI"},
	{"something after the bracket", "postgres://u@[::1]x", `unexpected character at position 19 in URI (expected ":" or "/")`},
	{"bad percent-encoding in the password", "postgres://u:Top%zzSecret@h", "invalid percent-encoded token in the password of the URI"},
	{"percent-encoding cut short", "postgres://h%2", "invalid percent-encoded token in the host of the URI"},
	{"bad percent-encoding in a parameter", "postgres://h?user=%", `invalid percent-encoded token in the value of URI query parameter "user"`},
	{"an encoded NUL", "postgres://h/%00", "forbidden value %00 in the dbname of the URI"},
	{"a NUL", "host=a\x00b", "the connection string contains a NUL byte"},
}

func TestConnectionStringsThatAreUnderstood(t *testing.T) {
	for _, tt := range understood {
		t.Run(tt.name, func(t *testing.T) {
			s, err := conninfo.Parse(tt.conninfo)
			require.NoError(t, err)
			assert.Equal(t, tt.want, given(s))
			assert.False(t, s.Suspect())
		})
	}
}

func TestConnectionStringsThatAreRefused(t *testing.T) {
	for _, tt := range refused {
		t.Run(tt.name, func(t *testing.T) {
			_, err := conninfo.Parse(tt.conninfo)
			assert.EqualError(t, err, tt.want)
		})
	}
}

func TestAURIWithASlashInItsPasswordIsSuspect(t *testing.T) {
	s, err := conninfo.Parse("postgres://u:Top/Secret@host:5432/db")
	require.NoError(t, err)
	assert.True(t, s.Suspect())
	require.NoError(t, s.Complete(empty))
	_, err = s.Hosts()
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "Top")
}

func FuzzParse(f *testing.F) {
	for _, tt := range understood {
		f.Add(tt.conninfo)
	}
	for _, tt := range refused {
		f.Add(tt.conninfo)
	}
	f.Fuzz(func(t *testing.T, connString string) {
		s, err := conninfo.Parse(connString)
		if err != nil {
			assert.NotContains(t, err.Error(), "\n")
			return
		}
		// What is written is read again as the same.
		var pairs []string
		for _, k := range conninfo.Keywords {
			if s.Value(k.Name) != "" {
				pairs = append(pairs, conninfo.Pair(k.Name, s.Value(k.Name)))
			}
		}
		again, err := conninfo.Parse(strings.Join(pairs, " "))
		require.NoError(t, err)
		assert.Equal(t, given(s), given(again))
		if s.Complete(empty) == nil && s.Check() == nil {
			_, _ = s.Hosts()
			rendered, err := conninfo.Parse(s.Render(1900, ""))
			require.NoError(t, err)
			assert.Equal(t, s.Value("host"), rendered.Value("host"))
		}
	})
}
