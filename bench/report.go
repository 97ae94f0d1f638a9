package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/gorewind/gorewind/internal/pgtest/cluster"
)

// report is all results, and the content of the JSON file: times in seconds,
// memory in bytes.
type report struct {
	Machine    string    `json:"machine"`
	PostgreSQL string    `json:"postgresql"`
	Scale      string    `json:"scale"`
	Runs       int       `json:"runs"`
	Results    []result  `json:"results"`
	Goals      []verdict `json:"goals"`
	Growth     []point   `json:"growth"`
}

// result is the medians of a contestant in a scenario.
type result struct {
	Scenario   string    `json:"scenario"`
	About      string    `json:"about"`
	Contestant string    `json:"contestant"`
	Wall       float64   `json:"wall"`
	Walls      []float64 `json:"walls"` // of every run
	CPU        float64   `json:"cpu"`
	Peak       int64     `json:"peak_rss"`
	Read       int64     `json:"target_read,omitempty"`
	Fetched    *int64    `json:"fetched,omitempty"`
	Written    int64     `json:"written,omitempty"`
	Wire       int64     `json:"wire,omitempty"`
}

// verdict is a goal and whether it was reached.
type verdict struct {
	Scenario   string  `json:"scenario"`
	Contestant string  `json:"contestant"`
	Measure    string  `json:"measure"`
	Than       string  `json:"than,omitempty"` // empty: Value is not a ratio
	Value      float64 `json:"value"`
	Limit      float64 `json:"limit"`
	OK         bool    `json:"ok"`
}

// point is gorewind's result for one size of a scenario.
type point struct {
	Scenario   string  `json:"scenario"`
	Contestant string  `json:"contestant"`
	Size       int64   `json:"size"`
	Unit       string  `json:"unit"`
	Wall       float64 `json:"wall"`
	CPU        float64 `json:"cpu"`
	Peak       int64   `json:"peak_rss"`
}

func newReport(in *cluster.Installation, s *settings) *report {
	return &report{Machine: machine(), PostgreSQL: in.Full, Scale: s.scale, Runs: s.runs}
}

// add adds the outcomes of a scenario.
func (r *report) add(t *scope, sc *scenario, size int64, outcomes []outcome) {
	medians := map[string]sample{}
	for _, o := range outcomes {
		m := median(o.samples)
		m.fetched, m.read = o.fetched, o.read
		medians[o.name] = m
		res := result{
			Scenario: sc.name, About: sc.describe(size), Contestant: o.name,
			Wall: m.wall.Seconds(), CPU: m.cpu.Seconds(), Peak: m.peak, Read: o.read, Written: m.written, Wire: m.wire,
		}
		for _, s := range o.samples {
			res.Walls = append(res.Walls, s.wall.Seconds())
		}
		if o.fetched >= 0 {
			res.Fetched = &o.fetched
		}
		r.Results = append(r.Results, res)
		if o.name == sc.grows {
			r.addPoint(sc, size, o.samples)
		}
	}
	for _, g := range sc.goals {
		v, err := g.judge(medians)
		t.must(err)
		v.Scenario = sc.name
		r.Goals = append(r.Goals, v)
	}
}

// judge compares medians.
func (g goal) judge(medians map[string]sample) (verdict, error) {
	mine, known := medians[g.of]
	v := verdict{Contestant: g.of, Measure: g.measure.name, Than: g.than, Value: g.measure.of(mine), Limit: g.limit}
	if g.than != "" {
		other, has := medians[g.than]
		known = known && has
		v.Value /= g.measure.of(other)
	}
	if !known || v.Value < 0 || v.Value != v.Value { // true for NaN
		return v, fmt.Errorf("the %s of %s is not known", v.Measure, v.Contestant)
	}
	v.OK = v.Value <= v.Limit
	return v, nil
}

func (r *report) addPoint(sc *scenario, size int64, samples []sample) {
	m := median(samples)
	r.Growth = append(r.Growth, point{sc.name, sc.grows, size, sc.unit, m.wall.Seconds(), m.cpu.Seconds(), m.peak})
	slices.SortStableFunc(r.Growth, func(a, b point) int {
		if a.Scenario != b.Scenario {
			return 0
		}
		return int(a.Size - b.Size)
	})
}

func (r *report) missed() (n int) {
	for _, v := range r.Goals {
		if !v.OK {
			n++
		}
	}
	return n
}

// cells are the columns of a goal: measure, value, limit, and whether it was
// reached.
func (v verdict) cells() []string {
	ok := "ok"
	if !v.OK {
		ok = "MISSED"
	}
	if v.Measure == readShare.name {
		return []string{v.Measure, fmt.Sprintf("%.2f", v.Value), fmt.Sprintf("≤ %.2f", v.Limit), ok}
	}
	if v.Than == "" {
		return []string{v.Measure, megabytes(int64(v.Value)), "≤ " + megabytes(int64(v.Limit)), ok}
	}
	return []string{v.Measure + " / " + v.Than, fmt.Sprintf("%.2f", v.Value), fmt.Sprintf("≤ %.2f", v.Limit), ok}
}

// known formats a number of bytes; zero means unknown.
func known(n int64) string {
	if n == 0 {
		return ""
	}
	return megabytes(n)
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/mb) }

// header describes the numbers below it.
func (r *report) header(w io.Writer) {
	fmt.Fprintf(w, "PostgreSQL %s on %s; scale %s, medians of %d runs, warm cache\n", r.PostgreSQL, r.Machine, r.Scale, r.Runs)
}

func row(w io.Writer, cells ...string) { fmt.Fprintf(w, "  %s\n", strings.Join(cells, "\t")) }

// print shows the results of one scenario.
func (r *report) print(w io.Writer, sc *scenario) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i, res := range r.Results {
		if res.Scenario != sc.name {
			continue
		}
		if i == 0 || r.Results[i-1].Scenario != sc.name {
			fmt.Fprintf(table, "\n%s: %s\n", sc.name, res.About)
			row(table, "contestant", "wall", "CPU", "peak RSS", "written", "fetched", "target read", "wire", "measure", "value", "goal", "")
		}
		cells := []string{res.Contestant, seconds(res.Wall), seconds(res.CPU), megabytes(res.Peak), known(res.Written), "", known(res.Read), known(res.Wire)}
		if res.Fetched != nil {
			cells[5] = megabytes(*res.Fetched)
		}
		for _, v := range r.Goals {
			if v.Scenario == sc.name && v.Contestant == res.Contestant {
				row(table, append(cells, v.cells()...)...)
				cells = make([]string, len(cells))
			}
		}
		if cells[0] != "" {
			row(table, append(cells, "", "", "", "")...)
		}
	}
	_ = table.Flush()
	r.printGrowth(table, sc)
	_ = table.Flush()
}

// printGrowth prints times and rates; "rate of more" is the rate for the amount added
// since the previous point, without the fixed costs.
func (r *report) printGrowth(w io.Writer, sc *scenario) {
	var before *point
	for i := range r.Growth {
		p := &r.Growth[i]
		if p.Scenario != sc.name {
			continue
		}
		more := ""
		if before == nil {
			row(w, "growth of "+sc.grows, "wall", "CPU", "peak RSS", "rate", "rate of more")
		} else if p.Wall > before.Wall {
			more = p.rate(p.Size-before.Size, p.Wall-before.Wall)
		}
		row(w, fmt.Sprintf("%d %s", p.Size, p.Unit), seconds(p.Wall), seconds(p.CPU), megabytes(p.Peak), p.rate(p.Size, p.Wall), more)
		before = p
	}
}

func (p *point) rate(size int64, wall float64) string {
	return fmt.Sprintf("%.0f %s/s", float64(size)/wall, p.Unit)
}

func seconds(s float64) string { return fmt.Sprintf("%.3f s", s) }

// write writes the JSON file.
func (r *report) write(name string) error {
	if name == "" {
		return nil
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(text, '\n'), 0o644)
}
