// Package libpq connects to PostgreSQL servers as libpq does: it understands
// connection strings (package conninfo), goes from host to host, from address to
// address and in each place from one kind of encryption to the next, and says why no
// connection came about. Of pgx it wants one attempt at a time.
//
// What is then sent over a connection, and what may come back, is not its business:
// who connects brings a [Guard] for that.
//
// Encrypted private keys are read here (pkcs8.go). The one library that does it for
// other people has never had a release, takes any number of iterations that a file
// asks for, and would be one more module for every importer.
package libpq
