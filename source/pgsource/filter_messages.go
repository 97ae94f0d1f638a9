package pgsource

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/gorewind/gorewind/internal/sanitize"
)

// rule is how messages of a kind are handled.
type rule struct {
	early bool  // allowed before queries can be sent
	later bool  // allowed afterwards
	aside bool  // it is not progress by itself
	empty bool  // it must have no body
	most  int64 // the most bytes of its body; zero: no limit of its own
	pass  func(f *filter, size int64) error
}

// rules are the messages of the protocol that are accepted (protocol-message-formats).
// Those of COPY are accepted if a stream of WAL was asked for; other messages are never
// asked for. A message without a function is dropped: the content of notices and
// notifications is of no interest, and pgx would keep notifications for ever.
var rules = map[byte]rule{
	'R': {early: true, aside: true, most: 8 << 10, pass: (*filter).authentication},
	'K': {early: true, aside: true, most: 512, pass: (*filter).whole},     // BackendKeyData
	'v': {early: true, aside: true, most: 4 << 10, pass: (*filter).whole}, // NegotiateProtocolVersion
	'S': {early: true, later: true, aside: true, most: maxAsideBytes, pass: (*filter).parameter},
	'N': {early: true, later: true, aside: true}, // NoticeResponse
	'A': {early: true, later: true, aside: true}, // NotificationResponse
	'E': {early: true, later: true, most: maxError, pass: (*filter).refusal},
	'Z': {early: true, later: true, most: 1, pass: (*filter).ready},
	'1': {later: true, aside: true, empty: true, pass: (*filter).whole},   // ParseComplete
	'2': {later: true, aside: true, empty: true, pass: (*filter).whole},   // BindComplete
	'n': {later: true, aside: true, empty: true, pass: (*filter).whole},   // NoData
	't': {later: true, aside: true, most: 1 << 10, pass: (*filter).whole}, // ParameterDescription
	'T': {later: true, aside: true, most: 4 << 10, pass: (*filter).description},
	'D': {later: true, pass: (*filter).dataRow},
	'C': {later: true, most: 256, pass: (*filter).complete},
	'W': {later: true, aside: true, most: 1 << 10, pass: (*filter).streamBegins}, // CopyBothResponse
	'd': {later: true, pass: (*filter).streamed},                                 // CopyData
	'c': {later: true, aside: true, empty: true, pass: (*filter).streamEnds},     // CopyDone
}

// maxRounds is the most messages of an authentication: SCRAM has four.
const maxRounds = 8

// maxHashing is the most times that a password is hashed for SCRAM: about half a
// second's work. PostgreSQL's scram_iterations is 4096 by default.
const maxHashing = 1_000_000

// What AuthenticationRequest asks for (libpq/protocol.h). The answers to the first
// three are computed from a password, and answering either of the last two is expensive.
const (
	authCleartext    = 3
	authMD5          = 5
	authSASL         = 10
	authSASLContinue = 11
)

// wantsPassword reports whether an authentication request asks for a password.
func wantsPassword(method uint32, body []byte) bool {
	return method == authCleartext || method == authMD5 || method == authSASL && bytes.Contains(body, []byte("SCRAM-"))
}

func (f *filter) authentication(size int64) error {
	body, err := f.take(size)
	if err != nil {
		return err
	}
	if f.rounds++; f.rounds > maxRounds {
		return unwanted("more than %d requests to authenticate", maxRounds)
	}
	if len(body) < 4 {
		return unwanted("a request to authenticate without a method")
	}
	method := binary.BigEndian.Uint32(body)
	if f.noPassword != nil && wantsPassword(method, body[4:]) {
		return f.noPassword
	}
	switch method {
	case authSASL, authSASLContinue:
		if f.hashed[method] {
			return unwanted("the same request to authenticate twice")
		}
		f.hashed[method] = true
		for field := range bytes.SplitSeq(body[4:], []byte(",")) {
			if count, ok := bytes.CutPrefix(field, []byte("i=")); ok && method == authSASLContinue {
				if n, err := strconv.Atoi(string(count)); err == nil && n > maxHashing {
					return unwanted("a request to hash the password %d times, and more than %d are not done (scram_iterations)", n, maxHashing)
				}
			}
		}
	}
	return nil
}

// parametersRead are the parameters that this package or pgx reads.
var parametersRead = []string{"server_version", "server_encoding", "client_encoding", "standard_conforming_strings"}

// parameter handles a setting that the server reports by itself. pgx keeps them by name, so
// only those that are read pass, with their first values.
func (f *filter) parameter(size int64) error {
	body, err := f.from.Peek(int(5 + size))
	if err != nil {
		return err
	}
	name, _, _ := bytes.Cut(body[5:], []byte{0})
	for _, read := range parametersRead {
		if f.authenticating && string(name) == read {
			return f.whole(size)
		}
	}
	f.skip = 5 + size
	return nil
}

// typesAsked are the types of the requested columns. pgx accepts any type that the server
// names, and for some, such as numbers with exponents, a few bytes can cause much work.
var typesAsked = []uint32{
	pgtype.BoolOID, pgtype.ByteaOID, pgtype.QCharOID, pgtype.NameOID, pgtype.Int8OID, pgtype.Int4OID, pgtype.TextOID, pgtype.OIDOID, pgtype.Float8OID,
}

// description handles the description of an answer's columns.
func (f *filter) description(size int64) error {
	body, err := f.take(size)
	if err != nil {
		return err
	}
	var d pgproto3.RowDescription
	if err := d.Decode(body); err != nil {
		return unwanted("an invalid description of columns")
	}
	for _, column := range d.Fields {
		if !slices.Contains(typesAsked, column.DataTypeOID) {
			return unwanted("a column of the type %d, which it was not asked for", column.DataTypeOID)
		}
	}
	return nil
}

// maxErrorText is the most bytes that are kept of an error's field.
const maxErrorText = 600

// errorFields are the fields of an error that are kept (protocol-error-fields): what it
// says, and in which source file of the server it was raised.
var errorFields = []byte("SVCMDHF")

// cleanError makes the fields of an error message fit for people to read: their text
// comes from an unknown server, and goes to a terminal or a log. The message may have
// been cut off; then its complete fields are used.
func cleanError(body []byte) []byte {
	var clean []byte
	for len(body) > 0 && body[0] != 0 {
		text, rest, whole := bytes.Cut(body[1:], []byte{0})
		if bytes.IndexByte(errorFields, body[0]) >= 0 {
			clean = append(append(clean, body[0]), sanitize.Text(sanitize.OneLine(string(text)), maxErrorText)...)
			clean = append(clean, 0)
		}
		if !whole {
			break
		}
		body = rest
	}
	return append(clean, 0)
}
