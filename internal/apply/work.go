package apply

import "sync"

// Work is the progress of syncing or applying.
type Work struct {
	Syncing     bool  // otherwise changes are applied
	Done, Total int64 // files; Total is 0 if it is not known
}

// meter counts work. It may be used from several goroutines.
type meter struct {
	mu  sync.Mutex
	now Work
}

func (m *meter) begin(syncing bool, total int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = Work{Syncing: syncing, Total: int64(total)}
}

func (m *meter) done() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now.Done++
}

// Work returns the progress of what the target is doing.
func (t *Target) Work() Work {
	t.work.mu.Lock()
	defer t.work.mu.Unlock()
	return t.work.now
}
