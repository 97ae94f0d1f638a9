// Package libpq connects to PostgreSQL servers as libpq does: it parses connection
// strings (package conninfo) and tries one host after the other, each of its addresses,
// and for each address one kind of encryption after the other. It explains why no
// connection could be opened. pgx only makes single attempts.
//
// It does not control what is then sent over a connection and what may come back:
// the caller supplies a [Guard] for that.
//
// Encrypted private keys are parsed here (pkcs8.go). The only public library for that
// has never had a release, accepts any number of iterations that a file
// asks for, and would be one more module for every importer.
package libpq
