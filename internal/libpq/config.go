package libpq

import (
	"os"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/gorewind/gorewind/internal/libpq/conninfo"
)

// neutral has a value for everything that pgx would otherwise take from the
// environment or from files, which it interprets differently from libpq.
const neutral = `host=/ port=5432 user=x password=x dbname=x passfile='' connect_timeout=0
	sslmode=disable sslcertmode=allow sslnegotiation='' sslsni='' sslcert='' sslkey='' sslrootcert='' sslpassword=''
	target_session_attrs=any channel_binding=prefer require_auth='' min_protocol_version=3.0 max_protocol_version=3.0`

// baseConfig is what all attempts to connect have in common.
func baseConfig(s *conninfo.Settings) (*pgx.ConnConfig, error) {
	config, err := neutralConfig()
	if err != nil {
		return nil, err
	}
	config.User = s.Value("user")
	config.Database = s.Value("dbname")
	config.ConnectTimeout = 0 // each attempt has its own context
	config.SSLCertMode = s.Value("sslcertmode")
	config.SSLNegotiation = s.Value("sslnegotiation")
	config.ChannelBinding = s.Value("channel_binding")
	config.RequireAuth = s.Value("require_auth")
	if low := s.Value("min_protocol_version"); low != "" {
		config.MinProtocolVersion = low
		if low != "3.0" {
			config.MaxProtocolVersion = "latest"
		}
	}
	if high := s.Value("max_protocol_version"); high != "" {
		config.MaxProtocolVersion = high
	}
	config.RuntimeParams = runtimeParams(s)
	config.DefaultQueryExecMode = pgx.QueryExecModeExec // one round trip per query
	return config, nil
}

// runtimeParams are all parameters that are sent to the server besides user and
// database; options of libpq itself are not among them. PGDATESTYLE, PGTZ and PGGEQO,
// which libpq sends, do not affect the queries here.
func runtimeParams(s *conninfo.Settings) map[string]string {
	params := map[string]string{
		"application_name": "gorewind",
		// File names are bytes; with this encoding no server converts them.
		"client_encoding": "SQL_ASCII",
	}
	for _, keyword := range []string{"fallback_application_name", "application_name"} {
		if name := s.Value(keyword); name != "" {
			params["application_name"] = name
		}
	}
	if options := s.Value("options"); options != "" {
		params["options"] = options
	}
	return params
}

// neutralConfig is a pgx configuration without outside influence. pgx always looks up
// the service that PGSERVICE names, so it is given an empty one.
func neutralConfig() (*pgx.ConnConfig, error) {
	if os.Getenv("PGSERVICE") == "" {
		return pgx.ParseConfig(neutral)
	}
	file, err := os.CreateTemp("", "gorewind-service-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	_, err = file.WriteString("[x]\n")
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, err
	}
	return pgx.ParseConfig(strings.Join([]string{neutral, "service=x", conninfo.Pair("servicefile", file.Name())}, " "))
}
