package pgsource

// What a server sends while it streams WAL has to pass the gate, too: the stream must
// have been asked for, and is as long as was said.

// streamBegins is the beginning of a stream that was asked for.
func (g *gate) streamBegins(size int64) error {
	if g.due[0].failed || len(g.due[0].answers) == 0 || !g.due[0].answers[0].streamed || g.due[0].answers[0].flows {
		return unwanted("a stream that it was not asked for")
	}
	g.due[0].answers[0].flows = true
	return g.whole(size)
}

// streamed is a message of a stream, which is handed on as it comes.
func (g *gate) streamed(size int64) error {
	if !g.isStreaming() {
		return unwanted("a piece of a stream that it was not asked for")
	}
	switch a := &g.due[0].answers[0]; {
	case a.rows <= 0:
		return unwanted("more of a stream than it was asked for")
	case size > int64(a.width):
		return unwanted("%d bytes of a stream at once, where it sends at most %d", size, a.width)
	default:
		a.rows--
	}
	g.row = 5 + size
	return nil
}

// streamEnds is the end of a stream. The answer goes on after it.
func (g *gate) streamEnds(size int64) error {
	if !g.isStreaming() {
		return unwanted("the end of a stream that it was not asked for")
	}
	g.due[0].answers[0].flows = false
	return g.whole(size)
}

func (g *gate) isStreaming() bool {
	return !g.due[0].failed && len(g.due[0].answers) > 0 && g.due[0].answers[0].flows
}
