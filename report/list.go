package report

import "encoding/json"

// List is a list that is present in the JSON even if it is nil, as an empty array.
type List[T any] []T

// MarshalJSON always writes an array.
func (l List[T]) MarshalJSON() ([]byte, error) {
	if l == nil {
		return []byte("[]"), nil
	}
	return json.Marshal([]T(l))
}
