package catalog_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/catalog"
	"github.com/gorewind/gorewind/heap"
	"github.com/gorewind/gorewind/heap/types"
	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/pgdata"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// values has values of every type that is formatted as by the server, each as SQL that
// all majors from the given one accept.
var values = []struct{ since, typ, list string }{
	{"9.6", "boolean", "true; false"},
	{"9.6", "smallint", "0; -32768; 32767"},
	{"9.6", "integer", "0; -2147483648; 2147483647"},
	{"9.6", "bigint", "0; -9223372036854775808; 9223372036854775807"},
	{"9.6", "oid", "0; 4294967295"},
	{"9.6", "real", "0; -0.0; 1.5; 1e20; 1e-5; 123456; 0.0001; 'NaN'; 'Infinity'; '-Infinity'; -3.5e-7; 999999; 1e6"},
	{"12", "real", "1234567; 3.4028235e38; 1.17549435e-38; 16777216; 0.1; 3.14159274"},
	{"9.6", "double precision", "0; '-0'; 1.5; 1e20; 1e-5; 123456789012345; 1e14; 1e15; 0.0001; 'NaN'; 'Infinity'; '-Infinity'; -3.5e-300; 100000"},
	{"12", "double precision", "1.7976931348623157e308; 0.1; 123456789012345678; 4.94065645841247e-324; 3.141592653589793"},
	{"9.6", "numeric", "0; 1; -1; 0.0001; 0.00010; 10000; 99999999.99999999; 12345678901234567890.123456789; 1e100; -1e-100; 'NaN'; 1.50; 100; 0.00; 1234.5; 10000.00001; 1e1000; 1e-1000"},
	{"9.6", "numeric(12,3)", "0; 1.5; -999999999.999"},
	{"14", "numeric", "'Infinity'; '-Infinity'"},
	{"9.6", "text", "''; 'a'; 'ünïcödé'; E'tab\\tnewline\\nbackslash\\\\'; repeat('x', 126); repeat('x', 127); repeat('long ', 1000); (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 1000) i)"},
	{"9.6", "varchar(20)", "''; 'abc'"},
	{"9.6", "char(5)", "''; 'ab'"},
	{"9.6", "name", "'some'; ''"},
	{"9.6", `"char"`, "'x'; ''"},
	{"9.6", "bytea", `''; '\x00ff'; decode(repeat('00', 5000), 'hex')`},
	{"9.6", "date", "'2000-01-01'; '1999-12-31'; '2024-02-29'; '0044-03-15 BC'; '0001-01-01'; '0001-12-31 BC'; '4713-01-01 BC'; '5874897-12-31'; 'infinity'; '-infinity'; '1900-03-01'; '2000-03-01'; '10000-01-01'"},
	{"9.6", "time", "'00:00'; '24:00'; '12:34:56.789'; '23:59:59.999999'; '00:00:00.000001'"},
	{"9.6", "timetz", "'00:00+00'; '12:34:56.5+02'; '12:00-08:30'; '12:00+05:45:10'"},
	{"9.6", "timestamp", "'2000-01-01'; '1999-12-31 23:59:59.999999'; '0044-03-15 12:00 BC'; '294276-12-31 23:59:59.999999'; 'infinity'; '-infinity'; '1970-01-01 00:00:00.1'"},
	{"9.6", "timestamptz", "'2024-07-01 12:00+02'; '0044-03-15 12:00+00 BC'; 'infinity'"},
	{"9.6", "interval", "'0'; '1 year'; '-1 year'; '1 mon -1 day'; '-1 mon +1 day 01:00'; '1 day -01:00'; '-1 day 00:00:00.5'; '-1 day -00:00:01'; '00:00:00.000001'; '-00:00:00.1'; '100 years 13 mons 40 days 100:00:00'; '-13 mons'; '1 year 2 mons 3 days 04:05:06.789'; '1 day'"},
	{"17", "interval", "'infinity'; '-infinity'"},
	{"9.6", "uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"},
	{"9.6", "json", `'{"a" : [1, 2 ]}'; 'null'`},
	{"9.6", "jsonb", `'{"a": [1, 2.50, "x\ty\u0001\"\\", null, true, false, {}], "b": {"c": {"d": []}}, "": 1e10, "long key here": "ü"}'; '[]'; '{}'; '"scalar"'; '1.10'; 'null'; 'true'; '[[1], {"a": 1}, "b", 12345678901234567890]'; (SELECT jsonb_object_agg('key' || i, jsonb_build_array(i, i::text, i * 1.5)) FROM generate_series(1, 500) i); (SELECT jsonb_agg(i) FROM generate_series(1, 300) i)`},
	{"9.6", "inet", "'1.2.3.4'; '1.2.3.4/24'; '0.0.0.0/0'; '::1'; '::'; '2001:db8::1/64'; '::ffff:1.2.3.4'; '::1.2.3.4'; '::5'; '1:0:0:2:0:0:0:3'; '1:2:3:4:5:6:7:8'; '::1:2'; '1::'; '0:1:2:3:4:5:6:7'; 'fe80::1:0:0:1'; '::2:3:4'"},
	{"9.6", "cidr", "'10.0.0.0/8'; '1.2.3.4'; '2001:db8::/32'; '::1'; '::/0'"},
	{"9.6", "macaddr", "'08:00:2b:01:02:03'"},
	{"10", "macaddr8", "'08:00:2b:01:02:03:04:05'"},
	{"9.6", "bit(5)", "B'10101'"},
	{"9.6", "bit varying", "B''; B'1'; B'101010101'"},
	{"9.6", "money", "0; 1234567.89; '-0.05'; '-92233720368547758.08'; 999"},
	{"9.6", "point", "'(1,-2.5)'"},
	{"9.6", "line", "'{1,2,3}'"},
	{"9.6", "lseg", "'[(1,2),(3,4)]'"},
	{"9.6", "box", "'(1,2),(3,4)'"},
	{"9.6", "path", "'((1,2),(3,4))'; '[(1,2),(3,4),(5,6)]'"},
	{"9.6", "polygon", "'((0,0),(0,1),(1,0))'"},
	{"9.6", "circle", "'<(1,2),3>'"},
	{"9.6", "tsvector", `''; 'a fat cat sat'; 'a:1A fat:2B,4C cat:5D'; $$'it''s' 'back\\slash'$$`},
	{"9.6", "tsquery", `''; 'fat & rat'; 'fat & (rat | cat)'; '!(fat & rat) | !cat'; 'super:*A & x:bcd'; $$'it''s' & 'back\\slash'$$; '!!a & !(b | !c)'; 'a | b & c | (d | e)'`},
	{"9.6", "tsquery", "'fat <-> rat'; 'fat <3> (rat <-> cat)'; '(a <-> b) <-> c'; 'a <-> (b & c)'; 'a <-> !b <2> d'; '(a | b) <-> (c & d)'"},
	{"12", "jsonpath", `'$'; 'strict $'; '$.a."b c".*'; '$[*]'; '$[0, 2 to last, last - 1]'; '$.**'; '$.**{2}'; '$.**{2 to last}'; '$.**{last}'; '$.**{1 to 3}.a'; '$.a ? (@.b == 1.50 && !(@.c > "x\u0001y" || @.d <= null) && exists(@.e ? (@ != true)))'; '(1 + 2) * $.a - -$.b % 3 / (4 - 5)'; '-(+$.a + 1)'; '$var.a'; '$."$weird"'; '($.a > 1) is unknown'; '$.a ? (@ starts with "abc")'; '$.a ? (@ starts with $b)'; '$.a ? (@ like_regex "^a.*\"")'; '$.a ? (@ like_regex "^a" flag "is" && @ like_regex "b" flag "m")'; '$.type()'; '$.a.size().abs().floor().ceiling().double().keyvalue()'; '(1.5).type()'; '($ + 1).type()'; '"text"'; 'false'; '1e10'; '(2 + 3) == 5'; '$[$.a to $.b + 1]'; '$.a ? (@ > 1).b ? ((@.x == 1) is unknown)'`},
	{"13", "jsonpath", `'$.datetime()'; '$.datetime("HH24:MI")'; '$.a ? (@.datetime() < "2020-01-01".datetime())'; '$.a ? (@ like_regex "a.b" flag "q")'`},
	{"17", "jsonpath", `'$.bigint().boolean().date().integer().number().string()'; '$.decimal()'; '$.decimal(5)'; '$.decimal(5, -2)'; '$.time()'; '$.time(2).time_tz(3).timestamp(0).timestamp_tz()'`},
	{"19", "jsonpath", `'$.lower().upper().initcap()'; '$.replace("a", "b")'; '$.split_part(",", 2)'; '$.ltrim()'; '$.rtrim("x").btrim("y")'`},
	{"9.6", "hstore", `''; 'a=>1, b=>NULL'; $$"qu\"ote"=>"x", "back\\slash"=>"\"", ""=>""$$; hstore('long', repeat('x', 5000)); (SELECT hstore(array_agg('k' || i), array_agg(md5(i::text))) FROM generate_series(1, 300) i)`},
	{"9.6", "hstore[]", `ARRAY['a=>1'::hstore, NULL, '']`},
	{"9.6", "citext", "'Text'; ''"},
	{"9.6", "xml", `'<a>b</a>'; '<?xml version="1.0"?><a/>'; '<?xml version="1.0" encoding="UTF-8" standalone="yes"?><a/>'`},
	{"9.6", "pg_lsn", "'0/0'; '16/B374D848'; 'FFFFFFFF/FFFFFFFF'"},
	{"9.6", "tid", "'(0,1)'; '(4294967295,65535)'"},
	{"9.6", "xid", "'0'; '4294967295'"},
	{"13", "xid8", "'0'; '18446744073709551615'"},
	{"9.6", "int2vector", "'1 -2 3'; ''"},
	{"9.6", "oidvector", "'1 2 3'; ''"},
	{"9.6", "regclass", `0; 'pg_class'; 'things'; 'other."Odd name"'; 999999; '"order"'; 'public.pg_type'; 'pg_type'; 'pg_toast.pg_toast_1255'`},
	{"9.6", "regtype", `0; 999999; 'int'; 'bigint'; 'smallint'; 'real'; 'float8'; 'numeric'; 'bool'; 'char(3)'; 'bpchar'; 'varchar'; '"char"'; 'bit'; 'varbit'; 'time'; 'timetz'; 'timestamp'; 'timestamptz'; 'interval'; 'text'; 'name'; 'json'; 'xml'; 'int[]'; 'varchar[]'; '"char"[]'; 'timestamptz[]'; 'int2vector'; 'oidvector'; 'int2vector[]'; 'point'; 'box[]'; 'mood'; 'mood[]'; 'other.kind'; 'other.kind[]'; 'pair'; 'things'; 'things[]'; '"order"'; 'public.date'; 'date'; 'int4range'; 'record'; 'anyelement'; 'void'; 'cstring'`},
	{"9.6", "regproc", "0; 999999; 'array_in'; 'boolin'; 'only_one'; 'other.elsewhere'; (SELECT oid FROM pg_proc WHERE proname = 'abs' LIMIT 1); 'pg_catalog.quote_ident'; 'public.quote_ident'"},
	{"9.6", "regprocedure", "0; 999999; 'abs(bigint)'; 'now()'; 'only_one(integer,timestamp,mood[])'; 'other.elsewhere(other.kind)'; 'pg_catalog.quote_ident(text)'; 'public.quote_ident(text)'; 'array_in(cstring, oid, int)'"},
	{"9.6", "regoper", "0; 999999; (SELECT oid FROM pg_operator WHERE oprname = '+' LIMIT 1); (SELECT oid FROM pg_operator WHERE oprname = '|/' LIMIT 1); 'other.%%%'"},
	{"9.6", "regoperator", "0; 999999; '+(integer,integer)'; '-(none,integer)'; '||(text,text)'; 'other.%%%(integer,integer)'"},
	{"9.6", "regrole", "'postgres'; 0; 999999"},
	{"9.6", "regnamespace", "'other'; 'public'; 0; '\"select\"'"},
	{"9.6", "regconfig", "'english'; 0; 'other.mine'"},
	{"9.6", "regdictionary", "'simple'; 0"},
	{"13", "regcollation", "'\"C\"'; 0; 'pg_catalog.default'"},
	{"19", "regdatabase", "'postgres'; 0; 999999"},
	{"9.6", "regtype[]", "'{integer,\"timestamp without time zone\",other.kind}'"},
	{"9.6", "things", "'(1)'"},
	{"9.6", "a_view", "'(1,x)'"},
	{"9.6", "mood", "'sad'; 'very happy'"},
	{"9.6", "positive", "1; 99.5"},
	{"9.6", "label", "'a'; ''"},
	{"9.6", "pair", `'(1,"a b")'; '(,)'; '(1,"")'; '(-1,"q""\\uote,()")'; ROW(5, repeat('z', 3000))`},
	{"9.6", "nested", `ROW(ROW(1, 'x y')::pair, ARRAY['a', NULL, ''], 'sad')`},
	{"9.6", "integer[]", `'{}'; '{1,2,3}'; '{1,NULL,3}'; '{{1,2},{3,4}}'; '[0:1]={5,6}'; '[2:3][-1:0]={{1,2},{3,4}}'; '{{{1},{2}}}'; ARRAY(SELECT generate_series(1, 3000))`},
	{"9.6", "text[]", `'{}'; ARRAY['a', '', 'NULL', 'null', NULL, 'with space', 'com,ma', 'qu"ote', E'back\\slash', '{b}', repeat('y', 200)]; ARRAY['ü']`},
	{"9.6", "smallint[]", "'{1,2,3}'; '{NULL,7}'"},
	{"9.6", "boolean[]", "'{t,f,NULL}'"},
	{"9.6", "numeric[]", "'{1.50,NaN,-3,NULL}'"},
	{"9.6", "timestamp[]", "'{2000-01-01,NULL,infinity}'"},
	{"9.6", "box[]", "'{(1,2),(3,4);(5,6),(7,8)}'"},
	{"9.6", "mood[]", "'{sad,\"very happy\",NULL}'"},
	{"9.6", "pair[]", `ARRAY[ROW(1, 'a')::pair, NULL, ROW(2, 'b,c')::pair]`},
	{"9.6", "name[]", "'{a,\"b c\"}'"},
	{"9.6", "int4range", "'empty'; '[1,5)'; '(,5)'; '[1,)'; '(,)'"},
	{"9.6", "int8range", "'[1,5)'"},
	{"9.6", "numrange", "'[1.5,2.50]'; '(1,)'; '(0.1,12345678901234567890]'"},
	{"9.6", "daterange", "'[2000-01-01,2001-01-01)'"},
	{"9.6", "tsrange", "'[2000-01-01 00:00,2001-01-01 12:00]'"},
	{"9.6", "textrange", `'[a,b]'; '["a b","c,d)")'; '["",x]'`},
	{"9.6", "int4range[]", "'{\"[1,5)\",empty}'"},
	{"14", "int4multirange", "'{}'; '{[1,5)}'; '{[1,2),[5,6),[9,)}'; '{(,3),[5,6),[10,11),[20,21),[30,31),[40,41)}'"},
	{"14", "nummultirange", "'{[1.5,2],(3,4.25)}'"},
	{"14", "textmultirange", "'{[a,b],[\"c d\",e]}'"},
	{"14", "tsmultirange", "'{[2000-01-01,2001-01-01),[2002-01-01,)}'"},
}

var setup = []string{
	"CREATE SCHEMA other",
	"CREATE TYPE mood AS ENUM ('sad', 'ok', 'very happy')",
	"CREATE DOMAIN positive AS numeric CHECK (VALUE > 0)",
	"CREATE DOMAIN label AS varchar(30)",
	"CREATE TYPE pair AS (a integer, b text)",
	"CREATE TYPE nested AS (p pair, l text[], m mood)",
	"CREATE TYPE textrange AS RANGE (subtype = text)",
	"CREATE TABLE things (a int)",
	`CREATE TABLE other."Odd name" (a int)`,
	`CREATE TABLE "order" (a int)`,
	`CREATE SCHEMA "select"`,
	"CREATE TYPE other.kind AS ENUM ('x')",
	"CREATE TYPE public.date AS ENUM ('x')",
	"CREATE TABLE public.pg_type (a int)",
	"CREATE VIEW a_view AS SELECT 1 AS a, 'x'::text AS b",
	"CREATE FUNCTION only_one(int, timestamp, mood[]) RETURNS int LANGUAGE sql AS 'SELECT 1'",
	"CREATE FUNCTION other.elsewhere(other.kind) RETURNS int LANGUAGE sql AS 'SELECT 1'",
	"CREATE FUNCTION public.quote_ident(text) RETURNS text LANGUAGE sql AS 'SELECT $1'",
	"CREATE FUNCTION other.add(int, int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
	"CREATE OPERATOR other.%%% (PROCEDURE = other.add, LEFTARG = int, RIGHTARG = int)",
	"CREATE TEXT SEARCH CONFIGURATION other.mine (COPY = simple)",
	"CREATE EXTENSION hstore", "CREATE EXTENSION citext",
}

// Every value of every type reads as COPY shows it: at every alignment in a row,
// compressed, and stored out of line.
func TestValuesReadAsTheServerCopiesThem(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		c := in.InitCluster(t, pgtest.Options{})
		c.Start(t)
		c.Exec(t, setup...)
		want := map[string][]string{}
		for i, v := range values {
			if pgdata.VersionByName(v.since).ServerNum > in.Version.ServerNum {
				continue
			}
			name := fmt.Sprintf("values%d", i)
			statements := []string{fmt.Sprintf("CREATE TABLE %s (n int, pad text, v %s, w %s)", name, v.typ, v.typ)}
			for j, value := range strings.Split(v.list, "; ") {
				statements = append(statements, fmt.Sprintf("INSERT INTO %s VALUES (%d, '%s', %s, NULL), (%d, NULL, NULL, %s)", name, 2*j, strings.Repeat("p", j), value, 2*j+1, value))
			}
			c.Exec(t, statements...)
			want[name] = copied(t, c, name)
		}
		c.Exec(t,
			"CREATE TABLE stored (a text, b text, c text)",
			"ALTER TABLE stored ALTER a SET STORAGE EXTERNAL, ALTER b SET STORAGE MAIN",
			"INSERT INTO stored SELECT repeat(md5(i::text), 1000), repeat(md5(i::text), 50), string_agg(md5((i * j)::text), '') FROM generate_series(1, 40) i, generate_series(1, 300) j GROUP BY i",
			"DELETE FROM stored WHERE a LIKE repeat(md5('7'), 10) || '%'",
			"CREATE TABLE altered (a int, gone text, b text)",
			"INSERT INTO altered VALUES (1, 'x', 'one')",
			"ALTER TABLE altered DROP COLUMN gone",
			"ALTER TABLE altered ADD COLUMN c int DEFAULT 42",
			"INSERT INTO altered VALUES (2, 'two', NULL), (3, 'three', 7)",
			"ALTER TABLE altered ADD COLUMN d text DEFAULT 'a default', ADD COLUMN e timestamp, ADD COLUMN f numeric[] DEFAULT '{1,2.5}'",
			"INSERT INTO altered VALUES (4, 'four', NULL, NULL, '2001-01-01', NULL)",
			"CREATE TABLE empty_row ()", "INSERT INTO empty_row DEFAULT VALUES",
			"CREATE TABLE wide ("+strings.Join(wideColumns(300), ", ")+")",
			"INSERT INTO wide (c1, c9, c300) VALUES (1, 9, 300)",
		)
		if in.Version.ServerNum < 1200 {
			c.Exec(t, "CREATE TABLE with_oids (a int, b text) WITH OIDS", "INSERT INTO with_oids VALUES (1, NULL), (2, 'x')")
			want["with_oids"] = copied(t, c, "with_oids")
		}
		if in.Version.ServerNum >= 1400 && c.QueryString(t, "SELECT setting FROM pg_settings WHERE name = 'default_toast_compression'") != "" {
			if rows := c.QueryRows(t, "SELECT 1 FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY(enumvals)"); len(rows) > 0 {
				c.Exec(t, "CREATE TABLE lz4 (a text COMPRESSION lz4)",
					"INSERT INTO lz4 SELECT repeat(md5(i::text), 200 * i) FROM generate_series(1, 20) i",
					"INSERT INTO lz4 SELECT string_agg(md5(j::text), repeat('-', 100)) FROM generate_series(1, 3000) j")
				want["lz4"] = copied(t, c, "lz4")
			}
		}
		for _, name := range []string{"stored", "altered", "empty_row", "wide"} {
			want[name] = copied(t, c, name)
		}
		c.Stop(t, pgtest.Fast)

		got := readTables(t, c, func(r *catalog.Relation) bool { return want[r.Name] != nil })
		for name, rows := range want {
			assert.Equal(t, rows, got[name], "table %s", name)
		}
	})
}

func wideColumns(n int) (columns []string) {
	for i := range n {
		columns = append(columns, fmt.Sprintf("c%d int", i+1))
	}
	return columns
}

// copied returns a table as COPY shows it, sorted.
func copied(t *testing.T, c *pgtest.Cluster, name string) []string {
	t.Helper()
	rows := c.CopyOut(t, "postgres", "COPY "+name+" TO STDOUT")
	slices.Sort(rows)
	return rows
}

// readTables reads tables of database postgres from the files.
func readTables(t *testing.T, c *pgtest.Cluster, wanted func(*catalog.Relation) bool) map[string][]string {
	t.Helper()
	dir, err := datadir.Open(c.Dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, dir.Close()) }()
	v := c.In.Version
	cluster, err := catalog.Open(t.Context(), catalog.Options{Files: dir, Version: v, Geometry: pgdata.Geometry{BlockSize: 8192, RelSegBlocks: 131072}})
	require.NoError(t, err)
	defer func() { require.NoError(t, cluster.Close()) }()
	i := slices.IndexFunc(cluster.Databases, func(d catalog.DatabaseInfo) bool { return d.Name == "postgres" })
	require.GreaterOrEqual(t, i, 0)
	d, err := cluster.Database(t.Context(), cluster.Databases[i], wanted)
	require.NoError(t, err)
	p := &types.Printer{
		Types: d, Fetch: d.Fetch, Dollars: true, FormatLSN: func(l uint64) string { return v.FormatLSN(pgdata.LSN(l)) },
		NoDatetime: v.JSONPath.NoDatetime, BareNumbers: v.JSONPath.BareNumbers,
	}
	tables := map[string][]string{}
	for _, rel := range d.Relations {
		if !wanted(rel) {
			continue
		}
		columns := make([]heap.Column, len(rel.Columns))
		for i, c := range rel.Columns {
			columns[i] = c.Column
		}
		rows := []string{}
		require.NoError(t, cluster.Pages(t.Context(), rel.Locator, func(_ pgdata.BlockNumber, page heap.Page) error {
			for tuple, err := range page.Tuples() {
				require.NoError(t, err)
				if !tuple.Visible(cluster.Committed) {
					continue
				}
				values, err := tuple.Values(columns, nil)
				require.NoError(t, err)
				rows = append(rows, line(t, p, rel, values))
			}
			return nil
		}))
		slices.Sort(rows)
		tables[rel.Name] = rows
	}
	return tables
}

// line returns a row as COPY shows it.
func line(t *testing.T, p *types.Printer, rel *catalog.Relation, values []heap.Value) string {
	t.Helper()
	var fields []string
	for i, c := range rel.Columns {
		if c.Dropped {
			continue
		}
		v := values[i]
		if v.State == heap.Absent {
			v = c.Missing
		}
		if v.State != heap.Present {
			fields = append(fields, `\N`)
			continue
		}
		text, err := p.Text(c.Type, v.Raw)
		require.NoError(t, err, "%s.%s", rel.Name, c.Name)
		fields = append(fields, strings.NewReplacer("\\", `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`).Replace(text))
	}
	return strings.Join(fields, "\t")
}
