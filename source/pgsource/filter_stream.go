package pgsource

// What a server sends while it streams WAL must pass the filter, too: the stream must
// have been asked for, and may not be longer than expected.

// streamBegins handles the beginning of a stream that was asked for.
func (f *filter) streamBegins(size int64) error {
	if f.due[0].failed || len(f.due[0].answers) == 0 || !f.due[0].answers[0].streamed || f.due[0].answers[0].flows {
		return unwanted("a stream that it was not asked for")
	}
	f.due[0].answers[0].flows = true
	return f.whole(size)
}

// streamed handles a message of a stream, which is passed on as it arrives.
func (f *filter) streamed(size int64) error {
	if !f.isStreaming() {
		return unwanted("a piece of a stream that it was not asked for")
	}
	switch a := &f.due[0].answers[0]; {
	case a.rows <= 0:
		return unwanted("more of a stream than it was asked for")
	case size > int64(a.width):
		return unwanted("%d bytes of a stream at once, where it sends at most %d", size, a.width)
	default:
		a.rows--
	}
	f.row = 5 + size
	return nil
}

// streamEnds handles the end of a stream. The answer continues after it.
func (f *filter) streamEnds(size int64) error {
	if !f.isStreaming() {
		return unwanted("the end of a stream that it was not asked for")
	}
	f.due[0].answers[0].flows = false
	return f.whole(size)
}

func (f *filter) isStreaming() bool {
	return !f.due[0].failed && len(f.due[0].answers) > 0 && f.due[0].answers[0].flows
}
