package html

import "github.com/gorewind/gorewind/report"

// writeFork draws the two histories.
func (v *view) writeFork(p *page) {
	if v.Divergence == nil || v.Target == nil || v.Source == nil {
		return
	}
	p.section("fork", "Where they diverge", func() {
		p.put(`<svg class="fork" viewBox="0 0 400 168" role="img" aria-labelledby="forkt forkd">
<title id="forkt">The two timelines</title>
<desc id="forkd">Both share WAL up to {}. From there the source went on as timeline {}, the target as timeline {}`, v.Divergence.LSN, v.Source.Timeline, v.Target.Timeline)
		if v.Lost != nil {
			p.put(", of which {} are lost", report.Count(int64(v.Lost.Committed), "commit"))
		}
		p.put(`.</desc>
<path class="c" d="M10 80H158"/>
<path class="s" d="M158 80C190 80 186 32 218 32H252"/>
<path class="l" d="M158 80C190 80 186 124 218 124H246" stroke-dasharray="1 7"/>
<path class="s" d="M246 25L254 32L246 39"/>
<path class="l" d="M245 118L257 130M257 118L245 130"/>
<circle class="ring" cx="158" cy="80" r="6"/>
`)
		if c := v.Checkpoint; c != nil {
			p.put(`<circle class="dot" cx="34" cy="80" r="5"/>
<text class="t" x="10" y="104">common checkpoint</text><text class="t lsn" x="10" y="122">{}</text>`, c.LSN)
		}
		p.put(`
<text class="t lsn" x="150" y="64" text-anchor="end">{}</text><text class="t" x="150" y="47" text-anchor="end">divergence</text>
<text x="266" y="30">source</text><text class="t" x="266" y="48">timeline {}</text>
<text x="266" y="120">target</text><text class="t" x="266" y="138">timeline {}</text>
`, v.Divergence.LSN, v.Source.Timeline, v.Target.Timeline)
		if v.Lost != nil {
			p.put(`<text class="gone" x="266" y="158">{} {} lost</text>`, number(v.Lost.Committed), plural(v.Lost.Committed, "commit"))
		}
		p.put("\n</svg>\n")
		if r := v.WALRead; r != nil {
			p.put(`<p class="soft">{} of the target's WAL were read, {} records in {}.</p>`, report.Bytes(r.Bytes), grouped(r.Records), report.Count(int64(len(r.Segments)), "segment"))
		}
		p.put("\n")
	})
}
