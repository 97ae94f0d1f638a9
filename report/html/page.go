package html

import (
	"bytes"
	"fmt"
	"html"
	"strings"
	"unicode"
)

// page is a page that is being written. Its markup is constant text of this package, and
// every value is escaped, so a value is never markup.
type page struct{ out bytes.Buffer }

// markup is constant text, which needs no conversion to this type, as variables would. A
// test checks that there are none.
type markup string

// put writes markup with values, escaped, in the places of "{}". Those are in text or in
// quoted attributes.
func (p *page) put(m markup, values ...any) {
	for _, v := range values {
		before, after, _ := strings.Cut(string(m), "{}")
		p.out.WriteString(before)
		p.out.WriteString(escaped(fmt.Sprint(v)))
		m = markup(after)
	}
	p.out.WriteString(string(m))
}

// escaped is a value as text, also within quotes. What no HTML can contain is replaced.
func escaped(value string) string {
	return html.EscapeString(strings.Map(func(r rune) rune { // gets U+FFFD for what is not UTF-8
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			return r
		case unicode.IsControl(r) || unicode.Is(unicode.Noncharacter_Code_Point, r):
			return unicode.ReplacementChar
		}
		return r
	}, value))
}

// section writes a section. Its ID is of the heading.
func (p *page) section(id, heading string, content func()) {
	p.put("\n"+`<section aria-labelledby="{}">`+"\n"+`<h2 id="{}">{}</h2>`+"\n", id, id, heading)
	content()
	p.put("</section>\n")
}

// bar writes a table cell with a bar of a length in percent.
func (p *page) bar(class string, percent float64) {
	p.put(`<td class="wide barcell"><span class="{}" style="width:{}%"></span></td>`, class, fmt.Sprintf("%.1f", percent))
}

// more writes how many entries of a list are missing.
func (p *page) more(n int) {
	if n != 0 {
		p.put(`<p class="soft">and {} more</p>`, n)
	}
}

// list writes values with commas between them.
func list[T any](p *page, values []T, each func(T)) {
	for i, v := range values {
		if i > 0 {
			p.put(", ")
		}
		each(v)
	}
}
