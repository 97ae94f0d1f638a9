package types

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// doubles writes n floats separated by commas.
func doubles(dst, b []byte, n int) []byte {
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendDouble(dst, b[8*i:])
	}
	return dst
}

// points writes n pairs of floats, each in parentheses.
func points(dst, b []byte, n int) []byte {
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(doubles(append(dst, '('), b[16*i:], 2), ')')
	}
	return dst
}

func point(_ *Printer, dst, b []byte) ([]byte, error) { return points(dst, b, 1), nil }

func box(_ *Printer, dst, b []byte) ([]byte, error) { return points(dst, b, 2), nil }

func lseg(_ *Printer, dst, b []byte) ([]byte, error) {
	return append(points(append(dst, '['), b, 2), ']'), nil
}

func line(_ *Printer, dst, b []byte) ([]byte, error) {
	return append(doubles(append(dst, '{'), b, 3), '}'), nil
}

func circle(_ *Printer, dst, b []byte) ([]byte, error) {
	dst = append(points(append(dst, '<'), b, 1), ',')
	return append(appendDouble(dst, b[16:]), '>'), nil
}

// path formats the number of points, whether the path is closed, padding, and the
// points.
func path(_ *Printer, dst, b []byte) ([]byte, error) {
	n, err := pointsIn(b, 12)
	if err != nil {
		return nil, err
	}
	begin, end := byte('['), byte(']')
	if binary.LittleEndian.Uint32(b[4:]) != 0 {
		begin, end = '(', ')'
	}
	return append(points(append(dst, begin), b[12:], n), end), nil
}

// polygon formats the number of points, a bounding box, and the points.
func polygon(_ *Printer, dst, b []byte) ([]byte, error) {
	n, err := pointsIn(b, 36)
	if err != nil {
		return nil, err
	}
	return append(points(append(dst, '('), b[36:], n), ')'), nil
}

// pointsIn returns the number of points after a header.
func pointsIn(b []byte, header int) (int, error) {
	if len(b) < header || (len(b)-header)%16 != 0 || int64(binary.LittleEndian.Uint32(b)) != int64((len(b)-header)/16) {
		return 0, corrupt("%d bytes of points", len(b))
	}
	return (len(b) - header) / 16, nil
}

func inet(_ *Printer, dst, b []byte) ([]byte, error) { return network(dst, b, false) }

func cidr(_ *Printer, dst, b []byte) ([]byte, error) { return network(dst, b, true) }

// network formats a family (2 or 3), the length of the mask, and the address
// (utils/inet.h). If the mask covers the whole address, it is only shown for cidr.
func network(dst, b []byte, always bool) ([]byte, error) {
	if len(b) != 6 && len(b) != 18 || b[0] != 2 && b[0] != 3 || (b[0] == 2) != (len(b) == 6) {
		return nil, corrupt("an address of %d bytes", len(b))
	}
	address, _ := netip.AddrFromSlice(b[2:])
	switch text := address.String(); {
	case b[0] == 3 && startsWithZeros(b[2:], 12) && b[14]|b[15] != 0: // the server writes these as IPv4 addresses
		dst = fmt.Appendf(dst, "::%d.%d.%d.%d", b[14], b[15], b[16], b[17])
	default:
		dst = append(dst, text...)
	}
	if always || int(b[1]) != 8*(len(b)-2) {
		dst = fmt.Appendf(dst, "/%d", b[1])
	}
	return dst, nil
}

func startsWithZeros(b []byte, n int) bool {
	for _, c := range b[:n] {
		if c != 0 {
			return false
		}
	}
	return true
}
