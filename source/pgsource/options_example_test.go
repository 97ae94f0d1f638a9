package pgsource_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/source/pgsource"
)

// A password that somebody else keeps, and changes.
func ExampleOptions_password() {
	ctx := context.Background()
	server, err := pgsource.Open(ctx, "host=db2 user=rewind dbname=postgres", pgsource.Options{
		Password: func(context.Context) (string, error) {
			secret, err := os.ReadFile("/run/secrets/rewind-password")
			return strings.TrimSpace(string(secret)), err
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = server.Close() }()
}

// Certificates that are not in files.
func ExampleOptions_tls() {
	ctx := context.Background()
	var ca, cert, key []byte // from a secret of Kubernetes, say
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		log.Fatal(err)
	}
	server, err := pgsource.Open(ctx, "host=db2 user=streaming_replica dbname=postgres", pgsource.Options{
		TLS: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = server.Close() }()
}

// A tunnel, such as the Dial of an *ssh.Client of golang.org/x/crypto/ssh. The name of
// the host is resolved at its other end.
func ExampleOptions_dialFunc() {
	ctx := context.Background()
	var tunnel interface {
		DialContext(ctx context.Context, network, address string) (net.Conn, error)
	} = new(net.Dialer) // an *ssh.Client
	server, err := pgsource.Open(ctx, "host=db2.internal user=rewind dbname=postgres", pgsource.Options{DialFunc: tunnel.DialContext})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = server.Close() }()
}

// A process that connects to several clusters has no environment that fits all.
func ExampleOptions_getenv() {
	ctx := context.Background()
	environment := map[string]string{"PGHOST": "db2", "PGUSER": "rewind", "PGSSLMODE": "verify-full", "HOME": "/var/lib/operator"}
	server, err := pgsource.Open(ctx, "", pgsource.Options{Getenv: func(name string) string { return environment[name] }})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = server.Close() }()
}

// A configuration that the program has anyway.
func ExampleOpenConfig() {
	ctx := context.Background()
	config, err := pgx.ParseConfig("postgres://rewind@db2/postgres")
	if err != nil {
		log.Fatal(err)
	}
	server, err := pgsource.OpenConfig(ctx, &config.Config, pgsource.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = server.Close() }()
}

// The reason why a connection failed.
func ExampleOpen_reasons() {
	_, err := pgsource.Open(context.Background(), "host=127.0.0.1 port=1 user=rewind", pgsource.Options{})
	switch {
	case errors.Is(err, source.ErrWrongPassword), errors.Is(err, source.ErrNoPassword):
		fmt.Println("somebody has to look at the secret")
	case errors.Is(err, source.ErrUnavailable): // whatever the reason is
		fmt.Println("try again later")
	default:
		fmt.Println(err)
	}
	// Output: try again later
}

func ExampleQuote() {
	fmt.Println("host=db2 password=" + pgsource.Quote(`it's a \ secret`) + " dbname=" + pgsource.Quote("postgres"))
	// Output: host=db2 password='it\'s a \\ secret' dbname=postgres
}
