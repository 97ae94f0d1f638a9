package html

import "github.com/gorewind/gorewind/report"

// writeCopied writes what is copied, and what need not be.
func (v *view) writeCopied(p *page) {
	t := v.Totals
	if t == nil {
		return
	}
	p.section("copied", "What is copied", func() {
		p.put(`<ul class="numbers">
<li><b>{}</b> from the source, of {}</li>
<li><b>{}</b> {} written or removed</li>
`, report.Bytes(t.FetchBytes), report.Bytes(t.SourceBytes), number(t.Files), plural(t.Files, "file"))
		if t.RemoveBytes != 0 {
			p.put("<li><b>{}</b> removed or truncated</li>", report.Bytes(t.RemoveBytes))
		}
		p.put("\n</ul>\n<div class=\"sums\">\n")
		for _, s := range v.sums() {
			p.sums(s)
		}
		p.put("</div>\n")
		v.writeCopiedRelations(p)
		p.put("\n")
		if len(v.Saved) > 0 {
			p.put(`<div class="scroll"><table>
<caption>What need not be copied</caption>
<thead><tr><th scope="col">Because</th><th scope="col" class="n">Files</th><th scope="col" class="n">Saved</th></tr></thead>
<tbody>`)
			for _, s := range v.Saved {
				p.put(`<tr><td>{}</td><td class="n">{}</td><td class="n">{}</td></tr>`, s.Rule, number(s.Files), report.Bytes(s.Bytes))
			}
			p.put("</tbody></table></div>")
		}
		p.put("\n")
		if v.Sync != "" {
			p.put(`<p class="soft">Made durable: {}.</p>`, v.Sync)
		}
		p.put("\n")
	})
}

// sums writes a table of totals.
func (p *page) sums(s sums) {
	p.put(`<div class="scroll"><table>
<caption>By {}</caption>
<thead><tr><th scope="col">Name</th><th scope="col" class="n">Files</th><th scope="col" class="n">Copied</th></tr></thead>
<tbody>`, s.By)
	for _, t := range s.List {
		p.put(`<tr><td class="name">{}</td><td class="n">{}</td><td class="n">{}</td></tr>`+"\n", t.Name, number(t.Files), report.Bytes(t.FetchBytes))
	}
	p.put("</tbody></table>")
	p.more(s.More)
	p.put("</div>\n")
}

func (v *view) writeCopiedRelations(p *page) {
	relations := v.copiedRelations()
	if len(relations.List) == 0 {
		return
	}
	p.put(`<div class="scroll"><table>
<caption>By relation, over all its segments and forks</caption>
<thead><tr><th scope="col">Relation</th><th scope="col" class="wide">Database</th><th scope="col" class="n wide">Files</th>`)
	if v.Compared != 0 {
		p.put(`<th scope="col" class="n wide">Compared</th>`)
	}
	p.put(`<th scope="col" class="n end">Copied</th><th scope="col" class="wide barcell">Of the most</th></tr></thead>
<tbody>`)
	most := float64(relations.List[0].FetchBytes)
	for _, r := range relations.List {
		p.put("<tr>")
		p.relation(r.Relation)
		p.put(`<td class="n wide">{}</td>`, number(r.Files))
		if v.Compared != 0 {
			p.put(`<td class="n wide">{}</td>`, report.Bytes(r.Compared))
		}
		p.put(`<td class="n end">{}</td>`, report.Bytes(r.FetchBytes))
		p.bar("bar", part(float64(r.FetchBytes), most))
		p.put("</tr>\n")
	}
	p.put("</tbody></table></div>\n")
	p.more(relations.More)
}
