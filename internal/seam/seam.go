// Package seam lets tests of other packages fail a rewind where it has no other door.
package seam

import "context"

type key struct{}

// With gives a context with which everything fails that at gives an error for.
func With(ctx context.Context, at func(place string) error) context.Context {
	return context.WithValue(ctx, key{}, at)
}

// At is the error for a place, as a rule nil.
func At(ctx context.Context, place string) error {
	if at, ok := ctx.Value(key{}).(func(string) error); ok {
		return at(place)
	}
	return nil
}
