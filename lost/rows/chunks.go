package rows

import (
	"bytes"
	"container/list"

	"github.com/gorewind/gorewind/catalog"
	"github.com/gorewind/gorewind/heap"
)

// chunkStore has values of TOAST tables as found in the WAL. They come right before the
// rows that they belong to, so the oldest are dropped first.
type chunkStore struct {
	limit  int
	size   int
	values map[valueID]*list.Element // elements are *storedValue
	order  list.List
}

type valueID struct{ database, table, id uint32 }

type storedValue struct {
	id     valueID
	chunks map[uint32][]byte
	size   int
}

func newChunkStore(limit int) *chunkStore {
	return &chunkStore{limit: limit, values: map[valueID]*list.Element{}}
}

func (s *chunkStore) add(database, table uint32, row []byte) {
	tuple, err := heap.ParseTuple(row)
	if err != nil {
		return
	}
	chunk, err := catalog.ParseChunk(&tuple)
	if err != nil {
		return
	}
	id := valueID{database, table, chunk.ID}
	e := s.values[id]
	if e == nil || chunk.Seq == 0 { // first chunk of a value: anything before belongs to another value
		if e != nil {
			s.forget(e)
		}
		e = s.order.PushBack(&storedValue{id: id, chunks: map[uint32][]byte{}, size: blockOverhead})
		s.values[id] = e
		s.size += blockOverhead
	}
	v := e.Value.(*storedValue)
	v.chunks[chunk.Seq] = bytes.Clone(chunk.Data)
	v.size += len(chunk.Data) + rowOverhead
	s.size += len(chunk.Data) + rowOverhead
	for s.size > s.limit && s.order.Len() > 1 {
		s.forget(s.order.Front())
	}
}

func (s *chunkStore) forget(e *list.Element) {
	v := s.order.Remove(e).(*storedValue)
	delete(s.values, v.id)
	s.size -= v.size
}

// fetch assembles a value, if all of its chunks are there.
func (s *chunkStore) fetch(database uint32, e *heap.External) ([]byte, bool) {
	at := s.values[valueID{database, e.Table, e.ValueID}]
	if at == nil {
		return nil, false
	}
	stored, err := catalog.JoinChunks(at.Value.(*storedValue).chunks, e)
	return stored, err == nil
}
