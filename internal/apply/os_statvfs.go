//go:build unix && !(linux || darwin || freebsd || dragonfly)

package apply

import "errors"

func freeBytes(string) (int64, error) { return 0, errors.ErrUnsupported }
