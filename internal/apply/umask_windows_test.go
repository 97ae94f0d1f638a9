package apply_test

import "testing"

// narrowUmask does nothing: there is none.
func narrowUmask(*testing.T) {}
