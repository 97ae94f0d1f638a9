//go:build race

package rewind_test

// sparser is by how much fewer instants are tried: with the race detector each takes
// several times as long, and a race shows at any of them.
const sparser = 5
