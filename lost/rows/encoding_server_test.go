package rows

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest"
)

// Text becomes what the server makes of it when a client asks for UTF-8, or is shown as
// bytes: this covers every character of one to three bytes in every database encoding.
func TestTextIsWhatTheServerConverts(t *testing.T) {
	names := []string{
		"SQL_ASCII", "EUC_JP", "EUC_CN", "EUC_KR", "EUC_TW", "EUC_JIS_2004", "UTF8", "MULE_INTERNAL", "LATIN1", "LATIN2", "LATIN3", "LATIN4", "LATIN5",
		"LATIN6", "LATIN7", "LATIN8", "LATIN9", "LATIN10", "WIN1256", "WIN1258", "WIN866", "WIN874", "KOI8R", "WIN1251", "WIN1252",
		"ISO_8859_5", "ISO_8859_6", "ISO_8859_7", "ISO_8859_8", "WIN1250", "WIN1253", "WIN1254", "WIN1255", "WIN1257", "KOI8U",
	}
	pgtest.EachOf(t, []string{"9.6", "18"}, func(t *testing.T, in *pgtest.Installation) {
		c := in.InitCluster(t, pgtest.Options{})
		c.Start(t)
		c.Exec(t, `CREATE FUNCTION text_of(b bytea, e text) RETURNS text LANGUAGE plpgsql AS $$
			BEGIN
				PERFORM convert(b, e, e); -- it can be there
				BEGIN RETURN encode(convert(b, e, 'UTF8'), 'hex'); EXCEPTION WHEN OTHERS THEN RETURN '-'; END;
			EXCEPTION WHEN OTHERS THEN RETURN NULL; END $$`)
		for number, name := range names {
			if name == "SQL_ASCII" || name == "UTF8" || name == "MULE_INTERNAL" { // these are not converted
				continue
			}
			sets := "SELECT lpad(to_hex(i), 2, '0') AS h FROM generate_series(128, 255) i"
			if strings.HasPrefix(name, "EUC") {
				sets += " UNION ALL SELECT to_hex(a) || to_hex(b) FROM generate_series(142, 255) a, generate_series(160, 255) b" +
					" UNION ALL SELECT '8f' || to_hex(a) || to_hex(b) FROM generate_series(160, 255) a, generate_series(160, 255) b"
			}
			d, told := decoderFor(int32(number)), 0
			for line := range strings.SplitSeq(c.QueryString(t, fmt.Sprintf(
				"SELECT string_agg(h || ' ' || text_of(decode(h, 'hex'), '%s'), ',') FROM (%s) x", name, sets)), ",") {
				from, to, _ := strings.Cut(line, " ")
				raw, err := hex.DecodeString(from)
				require.NoError(t, err)
				if text, escaped := d.decode(string(raw)); !escaped {
					assert.Equal(t, to, hex.EncodeToString([]byte(text)), "%s: %s is %q", name, from, text)
					told++
				}
			}
			if name != "EUC_TW" && name != "EUC_JIS_2004" {
				assert.Greater(t, told, 30, name)
			}
		}
	})
}
