package html_test

import (
	"encoding/xml"
	"errors"
	"io"
	"math/rand/v2"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/report"
)

var hostileNames = []string{
	`</td><script>alert("x")</script>`, `" onload="x`, `' onload='x`, `</title></style><!--`, `]]>`, `--><a href="javascript:x">`, "`x=`",
	`&lt;&#60;&amp`, "\x00\x01\x1b[31m\x7f\u0085", "\xff\xc0\xaf<\xe2\x80", "a\xc3<b>", "\ufffe\uffff\U0001fffe", "\u202e\u2028", "{}{}", "%!s(<b>)", "+ADw-script+AD4-", "100%;background:url(x)",
}

func TestHostileNamesStayText(t *testing.T) {
	for _, name := range hostileNames {
		d := sample(t, "result")
		d.Target.Name = name
		page := pageOf(t, d)
		mustBeHarmless(t, page)
		_, text, _ := strings.Cut(page, `<dt>Target</dt><dd class="mono">`)
		text, _, _ = strings.Cut(text, "</dd>")
		assert.NotContains(t, text, "<")
		for seed := range uint64(10) {
			mustBeHarmless(t, pageOf(t, anyDocument(seed, name)))
		}
	}
}

// FuzzNames writes documents that have the name in all of their texts.
func FuzzNames(f *testing.F) {
	for i, name := range hostileNames {
		f.Add(uint64(i), name)
	}
	f.Fuzz(func(t *testing.T, seed uint64, name string) {
		mustBeHarmless(t, pageOf(t, anyDocument(seed, name)))
	})
}

// anyDocument is a document with random contents and with a name in most of its texts.
func anyDocument(seed uint64, name string) *report.Document {
	d := new(report.Document)
	filler{rand.New(rand.NewPCG(seed, 0)), name}.fill(reflect.ValueOf(d).Elem())
	return d
}

type filler struct {
	*rand.Rand
	name string
}

// meaningful are texts on which the page depends.
var meaningful = []string{
	"", "base/5/16384", "base/5/16385.1", "global/1260", "main", "copy", "copy_tail", "blocks", "none", "0-3 7", "0-4294967295",
	"target", "source", "archive", "missing", "plan", "result", "error", "comparison", "changes", "table", "pg_catalog",
}

func (f filler) fill(v reflect.Value) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.Unix(f.Int64N(1<<40), 0)))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f.fill(v.Field(i))
		}
	case reflect.Pointer:
		if f.IntN(6) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			f.fill(v.Elem())
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), f.IntN(5), 5))
		for i := range v.Len() {
			f.fill(v.Index(i))
		}
	case reflect.String:
		v.SetString(f.name)
		if f.IntN(2) == 0 {
			v.SetString(meaningful[f.IntN(len(meaningful))])
		}
	case reflect.Bool:
		v.SetBool(f.IntN(2) == 0)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(f.Uint64()) >> f.IntN(65))
	case reflect.Uint32:
		v.SetUint(uint64(f.Uint32() >> f.IntN(33)))
	case reflect.Float64:
		v.SetFloat(f.NormFloat64() * []float64{1, 1e9, 1e308}[f.IntN(3)])
	default:
		panic("a document has a " + v.Kind().String())
	}
}

var (
	elements   = strings.Fields("html head title style body main header footer section h1 h2 p b bdi code span div dl dt dd ul li table caption thead tbody tr th td details summary svg desc path circle text rect")
	attributes = strings.Fields("lang class id role scope style aria-labelledby aria-label aria-hidden viewBox preserveAspectRatio d cx cy r x y width height text-anchor stroke-dasharray")
	meta       = regexp.MustCompile(`<meta [a-z0-9=", -]+>`)
	plainValue = regexp.MustCompile(`^[A-Za-z0-9 .-]*$`)
	barWidth   = regexp.MustCompile(`^width:\d+\.\d%$`)
)

// mustBeHarmless checks that a page is strict XML, except for its first elements, and that
// it has only allowed elements and attributes, whatever its texts contain.
func mustBeHarmless(t *testing.T, page string) {
	t.Helper()
	require.True(t, utf8.ValidString(page))
	assert.Equal(t, -1, strings.IndexFunc(page, func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\t\n\r", r) }), "control characters")
	decoder := xml.NewDecoder(strings.NewReader(meta.ReplaceAllString(page, "")))
	for directives := 0; ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err)
		switch token := token.(type) {
		case xml.Comment, xml.ProcInst:
			assert.Fail(t, "a page has none of these", token)
		case xml.Directive:
			directives++
			assert.Equal(t, 1, directives)
		case xml.StartElement:
			assert.True(t, slices.Contains(elements, token.Name.Local), token.Name.Local)
			for _, a := range token.Attr {
				assert.True(t, slices.Contains(attributes, a.Name.Local), a.Name.Local)
				switch a.Name.Local {
				case "aria-label": // the only one with a name
				case "style":
					assert.True(t, barWidth.MatchString(a.Value), a.Value)
				default:
					assert.True(t, plainValue.MatchString(a.Value), "%s: %s", a.Name.Local, a.Value)
				}
			}
		}
	}
}
