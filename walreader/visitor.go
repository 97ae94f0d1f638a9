package walreader

// A Visitor sees the records that start in one segment, in order, each valid
// only during the call. What it does with them is its own concern: package lost has an
// example.
type Visitor interface {
	Visit(rec *Record)
	// Prepend adds what a Visitor of the previous segment has collected; that one
	// is not used after that.
	Prepend(earlier Visitor)
}

// VisitorList is several visitors of the same records.
type VisitorList []Visitor

// Visitors makes one maker of visitors of several: what it makes is a
// [VisitorList] in the makers' order.
func Visitors(makers ...func() Visitor) func() Visitor {
	return func() Visitor {
		list := make(VisitorList, len(makers))
		for i, m := range makers {
			list[i] = m()
		}
		return list
	}
}

// Visit lets each of them see the record.
func (l VisitorList) Visit(rec *Record) {
	for _, v := range l {
		v.Visit(rec)
	}
}

// Prepend gives each of them its counterpart of the segment before.
func (l VisitorList) Prepend(earlier Visitor) {
	for i, v := range earlier.(VisitorList) {
		l[i].Prepend(v)
	}
}
