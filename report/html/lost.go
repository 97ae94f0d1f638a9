package html

import (
	"cmp"
	"fmt"

	"github.com/gorewind/gorewind/report"
)

// writeLost writes everything that is lost.
func (v *view) writeLost(p *page) {
	if v.Lost == nil {
		return
	}
	p.section("lost", "What is lost", func() {
		v.writeLostNumbers(p)
		v.writeLostNames(p)
		v.writeLostRelations(p)
		p.put("\n")
	})
}

func (v *view) writeLostNumbers(p *page) {
	l := v.Lost
	p.put(`<ul class="numbers">
<li class="loss"><b>{}</b> {} committed</li>
`, number(l.Committed), plural(l.Committed, "transaction"))
	if n := l.NeverEnded().Count(); n != 0 {
		p.put(`<li class="loss"><b>{}</b> prepared and never ended</li>`+"\n", number(n))
	}
	p.put(`<li><b>{}</b> rolled back</li>
<li><b>{}</b> changed blocks</li>
<li><b>{}</b> of WAL</li>
</ul>
`, number(l.Aborted), grouped(l.Blocks), report.Bytes(l.WALBytes))
	if l.FirstCommit != nil && l.LastCommit != nil {
		p.put("<p>Transactions were committed from {} to {}, by the target's clock.</p>", when(*l.FirstCommit), when(*l.LastCommit))
	}
	p.put("\n")
}

func (v *view) writeLostNames(p *page) {
	l := v.Lost
	if never := l.NeverEnded(); len(never.Names) > 0 {
		p.put("<p>Transactions {}: ", never.What)
		p.names(never)
		p.put(".</p>\n")
	}
	if commits := v.commitsByDatabase(); len(commits.List) > 0 {
		p.put("<p>Transactions committed in ")
		list(p, commits.List, func(d report.DatabaseCommits) {
			p.put("<bdi>{}</bdi>: {}", cmp.Or(d.DBName, fmt.Sprint(d.Database)), number(d.Committed))
		})
		if commits.More != 0 {
			p.put(" and {} more databases", commits.More)
		}
		p.put(".</p>\n")
	}
	if l.Messages != 0 {
		p.put("<p>{} (pg_logical_emit_message), which are in no table.</p>\n", report.Count(int64(l.Messages), "logical message"))
	}
	if l.SavedIn != "" {
		is := "is"
		if v.Kind == report.Plan {
			is = "will be"
		}
		p.put("<p>All of it {} kept in <code>{}</code>.</p>\n", is, l.SavedIn)
	}
	for _, listing := range l.Listings() {
		goes := "disappear"
		if listing.Back {
			goes = "come back"
		}
		p.put("<p>{}, which {}: ", capital(listing.What), goes)
		p.names(listing)
		p.put(".</p>\n")
	}
	if l.Unparsed != 0 {
		p.put("<p>{} could not be read, so more may be lost.</p>", report.Count(int64(l.Unparsed), "record"))
	}
	p.put("\n")
}

// names writes the beginning of a list of names.
func (p *page) names(l report.Listing) {
	names := cut(l.Names, maxNames)
	list(p, names.List, func(name string) { p.put("<bdi>{}</bdi>", name) })
	if more := names.More + l.More; more != 0 {
		p.put(" and {} more", more)
	}
}

func (v *view) writeLostRelations(p *page) {
	relations := v.lostRelations()
	if len(relations.List) == 0 {
		return
	}
	p.put(`<div class="scroll"><table>
<caption>Changed relations, the most changed first</caption>
<thead><tr><th scope="col">Relation</th><th scope="col" class="wide">Database</th><th scope="col">Rows</th><th scope="col" class="n end">Blocks</th><th scope="col" class="wide barcell">Of the most</th></tr></thead>
<tbody>`)
	for _, r := range relations.List {
		p.put("<tr>")
		p.relation(r)
		p.put(`<td>{}</td><td class="n end">{}</td>`, r.Rows(), grouped(r.Blocks))
		p.bar("bar loss", part(float64(r.Blocks), float64(v.mostLost)))
		p.put("</tr>\n")
	}
	p.put("</tbody></table></div>\n")
	p.more(relations.More)
}

// relation writes the table cells with the name of a relation and of its database, which
// is below it on small screens.
func (p *page) relation(r report.Relation) {
	p.put(`<td class="name">{}<span class="small soft">{}</span></td><td class="wide">{}</td>`, r.Label(), database(r), database(r))
}

func database(r report.Relation) string {
	switch {
	case r.DBName != "":
		return r.DBName
	case r.Database != 0 && r.Relations != 0:
		return fmt.Sprintf("%d, new", r.Database)
	case r.Database != 0:
		return fmt.Sprint(r.Database)
	}
	return "shared"
}
