package catalog

import (
	"strings"

	"github.com/gorewind/gorewind/pgdata"
)

// keywords are the words that must be quoted when they are used as names: all but the
// unreserved ones (parser/kwlist.h), by the first major that has them. They were read
// from servers of every major (pg_get_keywords).
var keywords = []struct{ since, words string }{
	{"9.6", `all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean both case
		cast char character check coalesce collate collation column concurrently constraint create cross
		current_catalog current_date current_role current_schema current_time current_timestamp current_user dec
		decimal default deferrable desc distinct do else end except exists extract false fetch float for foreign
		freeze from full grant greatest group grouping having ilike in initially inner inout int integer intersect
		interval into is isnull join lateral leading least left like limit localtime localtimestamp national natural
		nchar none not notnull null nullif numeric offset on only or order out outer overlaps overlay placing
		position precision primary real references returning right row select session_user setof similar smallint
		some substring symmetric table tablesample then time timestamp to trailing treat trim true union unique user
		using values varchar variadic verbose when where window with xmlattributes xmlconcat xmlelement xmlexists
		xmlforest xmlparse xmlpi xmlroot xmlserialize`},
	{"10", "xmlnamespaces xmltable"},
	{"13", "normalize"},
	{"16", "json_array json_arrayagg json_object json_objectagg system_user"},
	{"17", "json json_exists json_query json_scalar json_serialize json_table json_value merge_action"},
}

// keywordsOf returns the keywords of a major.
func keywordsOf(v *pgdata.Version) map[string]bool {
	words := map[string]bool{}
	for _, k := range keywords {
		if pgdata.VersionByName(k.since).ServerNum > v.ServerNum {
			break
		}
		for w := range strings.FieldsSeq(k.words) {
			words[w] = true
		}
	}
	return words
}

// quoted quotes an identifier as quote_identifier does (utils/adt/ruleutils.c).
func (c *Cluster) quoted(s string) string {
	plain := len(s) > 0 && (s[0] >= 'a' && s[0] <= 'z' || s[0] == '_')
	for _, b := range []byte(s) {
		plain = plain && (b >= 'a' && b <= 'z' || b >= '0' && b <= '9' || b == '_')
	}
	if plain && !c.keywords[s] {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}
