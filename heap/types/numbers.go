package types

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
)

func float4(_ *Printer, dst, b []byte) ([]byte, error) {
	return appendFloat(dst, float64(math.Float32frombits(binary.LittleEndian.Uint32(b))), 32), nil
}

func float8(_ *Printer, dst, b []byte) ([]byte, error) {
	return appendDouble(dst, b), nil
}

func appendDouble(dst, b []byte) []byte {
	return appendFloat(dst, math.Float64frombits(binary.LittleEndian.Uint64(b)), 64)
}

// appendFloat writes the shortest digits that identify the number, as servers do from
// 12 on, in the format of %g with 15 or 6 digits (utils/adt/float.c).
func appendFloat(dst []byte, f float64, size int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	digits := 15
	if size == 32 {
		digits = 6
	}
	s := strconv.AppendFloat(nil, f, 'e', -1, size)
	exponent, _ := strconv.Atoi(string(s[strings.IndexByte(string(s), 'e')+1:]))
	if f != 0 && (exponent < -4 || exponent >= digits) {
		return append(dst, s...)
	}
	return strconv.AppendFloat(dst, f, 'f', -1, size)
}

// money formats an int64 of hundredths as in the C locale (cash_out, utils/adt/cash.c).
// In other locales it is written differently.
func money(p *Printer, dst, b []byte) ([]byte, error) {
	if !p.Dollars {
		return nil, fmt.Errorf("money without its locale: %w", ErrUnknown)
	}
	n := int64(binary.LittleEndian.Uint64(b))
	u := uint64(n)
	if n < 0 {
		dst, u = append(dst, '-'), -u
	}
	dst = append(dst, '$')
	whole := strconv.FormatUint(u/100, 10)
	for i := range len(whole) {
		if i > 0 && (len(whole)-i)%3 == 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, whole[i])
	}
	return fmt.Appendf(dst, ".%02d", u%100), nil
}

// Bits of a numeric's first two bytes (utils/adt/numeric.c).
const (
	numericSign     = 0xC000 // positive 0, negative 0x4000, or one of these
	numericNegative = 0x4000
	numericShort    = 0x8000
	numericSpecial  = 0xC000
	numericNaN      = 0xC000
	numericInf      = 0xD000
	numericNegInf   = 0xF000
)

// numeric formats digits in base 10000, the weight of the first digit, and the number
// of decimal digits to show after the point.
func numeric(_ *Printer, dst, b []byte) ([]byte, error) {
	if len(b) < 2 || len(b)%2 != 0 {
		return nil, corrupt("a number of %d bytes", len(b))
	}
	header := binary.LittleEndian.Uint16(b)
	var (
		negative      bool
		weight, scale int
	)
	switch header & numericSign {
	case numericSpecial:
		switch header {
		case numericNaN:
			return append(dst, "NaN"...), nil
		case numericInf:
			return append(dst, "Infinity"...), nil
		case numericNegInf:
			return append(dst, "-Infinity"...), nil
		}
		return nil, corrupt("a number that begins %04X", header)
	case numericShort:
		negative, scale = header&0x2000 != 0, int(header>>7&0x3F)
		weight = int(header & 0x3F)
		if header&0x40 != 0 {
			weight -= 0x40
		}
		b = b[2:]
	default:
		if len(b) < 4 {
			return nil, corrupt("a number of %d bytes", len(b))
		}
		negative, scale = header&numericSign == numericNegative, int(header&0x3FFF)
		weight = int(int16(binary.LittleEndian.Uint16(b[2:])))
		b = b[4:]
	}
	digit := func(i int) (int, error) { // the digit of weight i
		at := 2 * (weight - i)
		if at < 0 || at >= len(b) {
			return 0, nil
		}
		d := int(binary.LittleEndian.Uint16(b[at:]))
		if d > 9999 {
			return 0, corrupt("a digit of %d in a number", d)
		}
		return d, nil
	}
	if negative {
		dst = append(dst, '-')
	}
	if weight < 0 {
		dst = append(dst, '0')
	}
	for i := weight; i >= 0; i-- {
		d, err := digit(i)
		switch {
		case err != nil:
			return nil, err
		case i == weight:
			dst = strconv.AppendInt(dst, int64(d), 10)
		default:
			dst = appendPadded(dst, d, 4)
		}
	}
	if scale == 0 {
		return dst, nil
	}
	dst = append(dst, '.')
	end := len(dst) + scale
	for i := -1; len(dst) < end; i-- {
		d, err := digit(i)
		if err != nil {
			return nil, err
		}
		dst = appendPadded(dst, d, 4)
	}
	return dst[:end], nil
}

// appendPadded writes a non-negative number with at least the given number of digits.
func appendPadded(dst []byte, n, digits int) []byte {
	s := strconv.Itoa(n)
	for range digits - len(s) {
		dst = append(dst, '0')
	}
	return append(dst, s...)
}
