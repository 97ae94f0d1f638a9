package types

import (
	"encoding/binary"
	"fmt"
	"math"
)

const (
	second = 1_000_000 // in microseconds
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour

	epochDays = 730_425 // from 0000-03-01 to 2000-01-01
)

func date(_ *Printer, dst, b []byte) ([]byte, error) {
	n := int32(binary.LittleEndian.Uint32(b))
	if s := infinite(int64(n), math.MinInt32, math.MaxInt32); s != "" {
		return append(dst, s...), nil
	}
	dst, bc := appendDate(dst, int64(n))
	return append(dst, bc...), nil
}

// infinite returns the word for the least and the greatest value.
func infinite(n, least, most int64) string {
	switch n {
	case least:
		return "-infinity"
	case most:
		return "infinity"
	}
	return ""
}

// appendDate writes a day, counted from 2000-01-01. If it is before the year 1, it also
// returns the suffix that goes after the whole value.
func appendDate(dst []byte, n int64) (_ []byte, bc string) {
	// Years begin in March here, so that the leap day is their last day; an era is 400
	// years.
	n += epochDays
	const era = 146_097
	e := floorDiv(n, era)
	inEra := n - e*era
	year := (inEra - inEra/1460 + inEra/36_524 - inEra/146_096) / 365
	inYear := inEra - (365*year + year/4 - year/100)
	shifted := (5*inYear + 2) / 153
	d := inYear - (153*shifted+2)/5 + 1
	month := shifted + 3
	year += e * 400
	if month > 12 {
		month -= 12
		year++
	}
	if year <= 0 {
		year, bc = 1-year, " BC"
	}
	return fmt.Appendf(dst, "%04d-%02d-%02d", year, month, d), bc
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// appendTime writes a time of day in microseconds.
func appendTime(dst []byte, t int64) []byte {
	dst = fmt.Appendf(dst, "%02d:%02d:", t/hour, t%hour/minute)
	return appendSeconds(dst, t%minute)
}

// appendSeconds writes seconds given in microseconds, without trailing zeros after the
// point.
func appendSeconds(dst []byte, t int64) []byte {
	dst = fmt.Appendf(dst, "%02d", t/second)
	fraction := t % second
	if fraction == 0 {
		return dst
	}
	dst = fmt.Appendf(dst, ".%06d", fraction)
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	return dst
}

func timeOfDay(_ *Printer, dst, b []byte) ([]byte, error) {
	t := int64(binary.LittleEndian.Uint64(b))
	if t < 0 || t > day {
		return nil, corrupt("a time of day of %d microseconds", t)
	}
	return appendTime(dst, t), nil
}

// timeTZ formats a time followed by the offset in seconds west of UTC.
func timeTZ(p *Printer, dst, b []byte) ([]byte, error) {
	dst, err := timeOfDay(p, dst, b[:8])
	if err != nil {
		return nil, err
	}
	zone, sign := -int64(int32(binary.LittleEndian.Uint32(b[8:]))), byte('+')
	if zone < 0 {
		zone, sign = -zone, '-'
	}
	dst = fmt.Appendf(dst, "%c%02d", sign, zone/3600)
	if zone%3600 != 0 {
		dst = fmt.Appendf(dst, ":%02d", zone%3600/60)
	}
	if zone%60 != 0 {
		dst = fmt.Appendf(dst, ":%02d", zone%60)
	}
	return dst, nil
}

func timestamp(_ *Printer, dst, b []byte) ([]byte, error) { return appendTimestamp(dst, b, "") }

func timestampTZ(_ *Printer, dst, b []byte) ([]byte, error) { return appendTimestamp(dst, b, "+00") }

func appendTimestamp(dst, b []byte, zone string) ([]byte, error) {
	t := int64(binary.LittleEndian.Uint64(b))
	if s := infinite(t, math.MinInt64, math.MaxInt64); s != "" {
		return append(dst, s...), nil
	}
	days := floorDiv(t, day)
	dst, bc := appendDate(dst, days)
	dst = appendTime(append(dst, ' '), t-days*day)
	return append(append(dst, zone...), bc...), nil
}

// interval formats microseconds, days and months (EncodeInterval,
// utils/adt/datetime.c).
func interval(_ *Printer, dst, b []byte) ([]byte, error) {
	t := int64(binary.LittleEndian.Uint64(b))
	days, months := int32(binary.LittleEndian.Uint32(b[8:])), int32(binary.LittleEndian.Uint32(b[12:]))
	switch {
	case t == math.MaxInt64 && days == math.MaxInt32 && months == math.MaxInt32: // 17
		return append(dst, "infinity"...), nil
	case t == math.MinInt64 && days == math.MinInt32 && months == math.MinInt32:
		return append(dst, "-infinity"...), nil
	}
	nothing, negative := true, false // whether anything is written yet, and whether the last field was negative
	for _, part := range []struct {
		n    int32
		unit string
	}{{months / 12, "year"}, {months % 12, "mon"}, {days, "day"}} {
		if part.n == 0 {
			continue
		}
		if !nothing {
			dst = append(dst, ' ')
		}
		if negative && part.n > 0 {
			dst = append(dst, '+')
		}
		dst = fmt.Appendf(dst, "%d %s", part.n, part.unit)
		if part.n != 1 {
			dst = append(dst, 's')
		}
		nothing, negative = false, part.n < 0
	}
	if t == 0 && !nothing {
		return dst, nil
	}
	if !nothing {
		dst = append(dst, ' ')
	}
	u := uint64(t)
	switch {
	case t < 0:
		dst, u = append(dst, '-'), -u
	case negative:
		dst = append(dst, '+')
	}
	dst = fmt.Appendf(dst, "%02d:%02d:", u/hour, u%hour/minute)
	return appendSeconds(dst, int64(u%minute)), nil
}
