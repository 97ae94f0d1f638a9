package report

import "encoding/json"

// List is a list that is there in the JSON also when it is nil, as an empty one.
type List[T any] []T

// MarshalJSON writes an array in any case.
func (l List[T]) MarshalJSON() ([]byte, error) {
	if l == nil {
		return []byte("[]"), nil
	}
	return json.Marshal([]T(l))
}
