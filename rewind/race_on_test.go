//go:build race

package rewind_test

// sparser divides how many instants are tried. With the race detector each takes
// several times as long, and a race shows at any of them.
const sparser = 5
