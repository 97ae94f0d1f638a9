package conninfo

import "slices"

// Use is how a keyword is treated here.
type Use int

// The uses of keywords.
const (
	// Honoured keywords do what libpq's documentation says.
	Honoured Use = iota
	// Forced keywords have no effect on the connection, which sets its own value.
	Forced
	// Harmless keywords are accepted without effect: they are about a feature that is
	// not used here, or only about its performance.
	Harmless
	// Refused keywords are an error unless they are empty: ignoring them could
	// make the connection less secure, or make it fail in a way that is hard to understand.
	Refused
)

// Keyword is one of libpq's options.
type Keyword struct {
	Name     string
	Env      string   // environment variable; empty if there is none
	Default  string   // compiled in
	Since    int      // first major, as in 906 or 1300; zero: older than 9.6
	Until    int      // last major that knows it; zero: all
	Shown    int      // first major whose PQconninfo shows it, if that is not Since
	Hidden   bool     // not written by -R (pg_rewind, fe_utils/recovery_gen.c)
	Appended int      // first major whose -R appends it, if it is set
	Secret   bool     // a password or the like
	Integer  bool     // a number
	Values   []string // the only values
	Use      Use
}

const never = 1 << 30

// Keywords are all options of libpq 9.6 to 19, in the order of its table
// (PQconninfoOptions in fe-connect.c), which is that of "pg_rewind -R".
var Keywords = []Keyword{
	{Name: "authtype", Env: "PGAUTHTYPE", Until: 1300, Shown: never, Use: Harmless}, // libpq itself ignores it
	{Name: "service", Env: "PGSERVICE", Shown: 1800},
	{Name: "servicefile", Env: "PGSERVICEFILE", Since: 1900},
	{Name: "user", Env: "PGUSER"},
	{Name: "password", Env: "PGPASSWORD", Secret: true},
	{Name: "passfile", Env: "PGPASSFILE", Since: 1000},
	{Name: "channel_binding", Env: "PGCHANNELBINDING", Default: "prefer", Since: 1300, Values: []string{"disable", "prefer", "require"}},
	{Name: "connect_timeout", Env: "PGCONNECT_TIMEOUT", Integer: true},
	{Name: "dbname", Env: "PGDATABASE", Hidden: true, Appended: 1800},
	{Name: "host", Env: "PGHOST"},
	{Name: "hostaddr", Env: "PGHOSTADDR"},
	{Name: "port", Env: "PGPORT", Default: DefaultPort},
	{Name: "tty", Env: "PGTTY", Until: 1300, Use: Harmless}, // libpq itself ignores it
	{Name: "client_encoding", Env: "PGCLIENTENCODING", Use: Forced},
	{Name: "options", Env: "PGOPTIONS"},
	{Name: "application_name", Env: "PGAPPNAME"},
	{Name: "fallback_application_name", Hidden: true},
	{Name: "keepalives", Integer: true},
	{Name: "keepalives_idle", Integer: true},
	{Name: "keepalives_interval", Integer: true},
	{Name: "keepalives_count", Integer: true},
	{Name: "tcp_user_timeout", Since: 1200, Integer: true},
	{Name: "sslmode", Env: "PGSSLMODE", Default: "prefer", Values: []string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}},
	{Name: "sslnegotiation", Env: "PGSSLNEGOTIATION", Default: "postgres", Since: 1700, Values: []string{"postgres", "direct"}},
	{Name: "sslcompression", Env: "PGSSLCOMPRESSION", Default: "0", Use: Harmless}, // TLS compression no longer exists anywhere
	{Name: "sslcert", Env: "PGSSLCERT"},
	{Name: "sslkey", Env: "PGSSLKEY"},
	{Name: "sslcertmode", Env: "PGSSLCERTMODE", Default: "allow", Since: 1600, Values: []string{"disable", "allow", "require"}},
	{Name: "sslpassword", Since: 1300, Secret: true},
	{Name: "sslrootcert", Env: "PGSSLROOTCERT"},
	{Name: "sslcrl", Env: "PGSSLCRL"},
	{Name: "sslcrldir", Env: "PGSSLCRLDIR", Since: 1400},
	{Name: "sslsni", Env: "PGSSLSNI", Default: "1", Since: 1400},
	{Name: "requirepeer", Env: "PGREQUIREPEER"},
	{Name: "require_auth", Env: "PGREQUIREAUTH", Since: 1600},
	{Name: "min_protocol_version", Env: "PGMINPROTOCOLVERSION", Since: 1800, Values: protocolVersions},
	{Name: "max_protocol_version", Env: "PGMAXPROTOCOLVERSION", Since: 1800, Values: protocolVersions},
	{Name: "ssl_min_protocol_version", Env: "PGSSLMINPROTOCOLVERSION", Default: "TLSv1.2", Since: 1300},
	{Name: "ssl_max_protocol_version", Env: "PGSSLMAXPROTOCOLVERSION", Since: 1300},
	// Without GSS, "prefer" is the same as "disable"; Check refuses "require".
	{Name: "gssencmode", Env: "PGGSSENCMODE", Default: "prefer", Since: 1200, Values: []string{"disable", "prefer", "require"}},
	{Name: "krbsrvname", Env: "PGKRBSRVNAME", Default: "postgres", Use: Harmless}, // for GSS
	{Name: "gsslib", Env: "PGGSSLIB", Use: Harmless},                              // for GSS
	{Name: "gssdelegation", Env: "PGGSSDELEGATION", Default: "0", Since: 1600, Use: Harmless},
	{Name: "replication", Hidden: true, Use: Forced}, // this is an ordinary session
	{Name: "target_session_attrs", Env: "PGTARGETSESSIONATTRS", Default: "any", Since: 1000, Values: []string{"any", "read-write", "read-only", "primary", "standby", "prefer-standby"}},
	{Name: "load_balance_hosts", Env: "PGLOADBALANCEHOSTS", Default: "disable", Since: 1600, Values: []string{"disable", "random"}},
	{Name: "scram_client_key", Since: 1800, Secret: true, Use: Refused},
	{Name: "scram_server_key", Since: 1800, Secret: true, Use: Refused},
	// OAuth is not supported; if a server requires it, the error says so.
	{Name: "oauth_issuer", Since: 1800, Use: Harmless},
	{Name: "oauth_client_id", Since: 1800, Use: Harmless},
	{Name: "oauth_client_secret", Since: 1800, Secret: true, Use: Harmless},
	{Name: "oauth_scope", Since: 1800, Use: Harmless},
	{Name: "oauth_ca_file", Env: "PGOAUTHCAFILE", Since: 1900, Use: Harmless},
	{Name: "sslkeylogfile", Since: 1800},
}

// DefaultPort is the port of a host without a given port (DEF_PGPORT).
const DefaultPort = "5432"

var protocolVersions = []string{"3.0", "3.2", "latest"}

func find(name string) *Keyword {
	i := slices.IndexFunc(Keywords, func(k Keyword) bool { return k.Name == name })
	if i < 0 {
		return nil
	}
	return &Keywords[i]
}
