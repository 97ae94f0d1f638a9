package html

import (
	_ "embed"
	"strings"
	"time"

	"github.com/gorewind/gorewind/report"
)

//go:embed style.css
var style string

// write writes the whole page.
func (v *view) write(p *page) {
	p.put(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{}`, v.title())
	if v.Target != nil {
		p.put(": {}", v.Target.Name)
	}
	p.put("</title>\n<style>\n")
	p.out.WriteString(style)
	p.put(`</style>
</head>
<body>
<main>
<header>
<h1>{}</h1>
<p class="soft">{}, by {}</p>
<p class="{}">{}</p>
</header>
`, v.title(), when(v.Created), v.Program, v.verdictClass(), v.Verdict())
	for _, section := range []func(*page){
		v.writeError, v.writeSides, v.writeEvidence, v.writeWarnings, v.writeFork, v.writeLost, v.writeCopied,
		v.writeHeat, v.writeStart, v.writeFollowing, v.writeSpace, v.writeTime, v.writeFiles,
	} {
		section(p)
		p.put("\n")
	}
	p.put(`<footer>Made by {}. Times are in UTC.</footer>
</main>
</body>
</html>
`, v.Program)
}

func when(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") }

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// plural is a word without its number.
func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

func (v *view) writeError(p *page) {
	e := v.Error
	if e == nil {
		return
	}
	p.section("error", "What went wrong", func() {
		p.put("<p><bdi>{}</bdi></p>\n", e.Message)
		for _, detail := range e.Details {
			p.put("<p>{}</p>", detail)
		}
		p.put("\n")
		for _, hint := range e.Hints {
			p.put("<p><b>{}</b></p>", hint)
		}
		p.put(`
<p class="soft">Condition <code>{}</code> in phase <code>{}</code>, exit status {}.
{}</p>
`, e.Condition, e.Phase, e.ExitStatus, e.Action.Words())
	})
}

func (v *view) writeSides(p *page) {
	if v.Target == nil && v.Source == nil {
		return
	}
	p.put("\n<dl class=\"sides\">\n")
	if t := v.Target; t != nil {
		p.put(`<div><dt>Target</dt><dd class="mono">{}</dd><dd>PostgreSQL {}, {}</dd>
<dd>timeline {}`, t.Name, t.Version, t.State, t.Timeline)
		if t.EndOfWAL != "" {
			p.put(", WAL up to <code>{}</code>", t.EndOfWAL)
		}
		p.put("</dd></div>")
	}
	p.put("\n")
	if s := v.Source; s != nil {
		p.put(`<div><dt>Source</dt><dd class="mono">{}</dd><dd>PostgreSQL {}, {}</dd>
<dd>timeline {}, last checkpoint <code>{}</code></dd></div>`, s.Name, s.Version, s.State, s.Timeline, s.Checkpoint)
	}
	p.put("\n</dl>\n")
}

func (v *view) writeEvidence(p *page) {
	if v.RecoversFirst {
		p.put("<p>The target's crash recovery comes first; the plan is based on its present WAL.</p>")
	}
	if len(v.Because) == 0 && v.Compared == 0 {
		return
	}
	p.section("evidence", "How it was found out", func() {
		p.put("<p>By {}", v.Evidence.Words())
		if v.Compared != 0 {
			p.put(": {} on each side{}", report.Bytes(v.Compared), v.ComparedWords())
		}
		p.put(".</p>\n")
		for _, b := range v.Because {
			p.put(`<p class="soft">Not by {}: <bdi>{}</bdi></p>`, b.Evidence.Words(), b.Reason)
		}
		p.put("\n")
		if len(v.Damaged) > 0 {
			p.put(`<div class="scroll"><table><caption>Damaged on the target, and replaced by the source's</caption>
<thead><tr><th>Relation</th><th class="n">Blocks</th><th>Which, in the file</th></tr></thead>
<tbody>`)
			for _, d := range v.Damaged {
				p.put(`<tr><td class="name">{}<span class="small soft">{}</span></td><td class="n">{}</td><td class="mono">{}</td></tr>`, d.Label(), d.Path, d.Count, d.Blocks)
			}
			p.put("</tbody></table></div>")
		}
		p.put("\n")
	})
}

func (v *view) writeWarnings(p *page) {
	if len(v.Warnings) == 0 {
		return
	}
	p.section("warnings", "Warnings", func() {
		for _, w := range v.Warnings {
			p.put(`<p class="warn">{}</p>`, w)
		}
		p.put("\n")
	})
}

func (v *view) writeStart(p *page) {
	if v.Startability == nil {
		return
	}
	p.section("start", "Whether it will start", func() {
		p.put("<p>Recovery reads WAL from <code>{}</code> to <code>{}</code>.\n", v.Startability.From, v.Startability.To)
		if missing := v.missing(); len(missing) > 0 {
			p.put("Segments are missing: ")
			list(p, missing, func(name string) { p.put("<code>{}</code>", name) })
			p.put(".")
		} else {
			p.put("All of it is there:")
		}
		p.put("\n")
		list(p, v.where(), func(s report.Segment) { p.put("{} {}", s.Name, placeWords(s.Where)) })
		p.put(".</p>\n")
		if needed := v.neededSegments(); len(needed.List) > 0 {
			p.put(`<details><summary>The segments</summary>
<div class="scroll"><table><thead><tr><th scope="col">Segment</th><th scope="col">Where it is</th></tr></thead>
<tbody>`)
			for _, s := range needed.List {
				p.put(`<tr><td class="mono">{}</td><td>{}</td></tr>`+"\n", s.Name, s.Where)
			}
			p.put("</tbody></table></div>")
			p.more(needed.More)
			p.put("</details>")
		}
		p.put("\n")
	})
}

func placeWords(where report.Origin) string {
	switch where {
	case report.Missing:
		return "nowhere"
	case report.InArchive:
		return "in the archive"
	}
	return "on the " + string(where)
}

func (v *view) writeFollowing(p *page) {
	f := v.Following
	if f == nil {
		return
	}
	p.section("follow", "Whether it will follow", func() {
		p.put("<p>{}", f.Sentence(v.WillFollow != nil && *v.WillFollow))
		if slot := f.SlotSentence(); slot != "" {
			p.put(" {}", slot)
		}
		p.put("</p>\n")
		if f.Problem != "" {
			p.put("<p>Why not: {}.", f.Problem)
			if f.Advice != "" {
				p.put(" What to do: {}", f.Advice)
			}
			p.put("</p>")
		}
		p.put("\n")
	})
}

func (v *view) writeSpace(p *page) {
	if len(v.Space) == 0 {
		return
	}
	p.section("space", "How much space it takes", func() {
		p.put(`<div class="scroll"><table><thead><tr><th scope="col">File system of</th><th scope="col" class="n">Needed</th><th scope="col" class="n">Free</th></tr></thead>
<tbody>`)
		for _, s := range v.Space {
			p.put(`<tr><td class="mono">{}</td><td class="n">{}</td><td class="n">{}</td></tr>`, s.Directory, report.Bytes(s.Needed), report.Bytes(s.Free))
		}
		p.put("</tbody></table></div>\n")
	})
}

func (v *view) writeTime(p *page) {
	if len(v.Phases) == 0 {
		return
	}
	p.section("time", "What time it took", func() {
		p.put(`<div class="scroll"><table><thead><tr><th scope="col">Phase</th><th scope="col" class="n">Time</th><th scope="col" class="n end">Copied</th><th scope="col" class="wide barcell">Part</th></tr></thead>
<tbody>`)
		duration := v.duration()
		for _, phase := range v.Phases {
			copied := ""
			if phase.Bytes != 0 {
				copied = report.Bytes(phase.Bytes)
			}
			p.put(`<tr><td>{}</td><td class="n">{}</td><td class="n end">{}</td>`, phase.Name, report.Duration(phase.Seconds), copied)
			p.bar("bar", part(phase.Seconds, duration))
			p.put("</tr>\n")
		}
		p.put("</tbody></table></div>\n")
	})
}
