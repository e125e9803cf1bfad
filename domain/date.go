package domain

import (
	"fmt"
	"time"
)

// Date is a date of the Gregorian calendar without a time zone, stored as yyyymmdd so that dates compare with <
// and >. The zero Date means "no date" and is null in JSON.
type Date int32

// NewDate returns the date of the given year, month and day, normalised like time.Date.
func NewDate(year int, month time.Month, day int) Date {
	return DateOf(time.Date(year, month, day, 0, 0, 0, 0, time.UTC))
}

// DateOf returns the date of the given time in that time's location.
func DateOf(at time.Time) Date {
	year, month, day := at.Date()
	return Date(year*10000 + int(month)*100 + day)
}

// ParseDate parses an RFC 3339 full-date such as 2018-03-30.
func ParseDate(text string) (Date, error) {
	date, ok := parseDate([]byte(text))
	if !ok {
		return 0, fmt.Errorf("%q is not a date such as 2018-03-30", text)
	}
	return date, nil
}

func parseDate(text []byte) (date Date, ok bool) {
	if len(text) != len("2018-03-30") || text[4] != '-' || text[7] != '-' {
		return 0, false
	}
	for i, char := range text {
		switch {
		case i == 4 || i == 7:
		case char < '0' || char > '9':
			return 0, false
		default:
			date = date*10 + Date(char-'0')
		}
	}
	return date, date >= 1_01_01 && DateOf(date.Time()) == date
}

// String returns the date in the form 2018-03-30, or "" for no date.
func (d Date) String() string {
	b, _ := d.AppendText(nil)
	return string(b)
}

// Time returns midnight UTC of the date.
func (d Date) Time() time.Time {
	return time.Date(int(d/10000), time.Month(d/100%100), int(d%100), 0, 0, 0, 0, time.UTC)
}

// AddDays returns the date n days later.
func (d Date) AddDays(n int) Date { return DateOf(d.Time().AddDate(0, 0, n)) }

// DaysSince returns the number of days from other to d.
func (d Date) DaysSince(other Date) int {
	const day = 24 * 60 * 60
	return int((d.Time().Unix() - other.Time().Unix()) / day) // not a Duration, which overflows after 292 years
}

// WorkingDaysSince returns the number of days from Monday to Friday after other, up to and including d.
func (d Date) WorkingDaysSince(other Date) int {
	days := d.DaysSince(other)
	working := days / 7 * 5
	for i := range days % 7 {
		if weekday := d.AddDays(-i).Time().Weekday(); weekday != time.Saturday && weekday != time.Sunday {
			working++
		}
	}
	return working
}

// AppendText implements encoding.TextAppender.
func (d Date) AppendText(b []byte) ([]byte, error) {
	if d == 0 {
		return b, nil
	}
	return d.Time().AppendFormat(b, time.DateOnly), nil
}

// MarshalJSON encodes the date as a string, and no date as null.
func (d Date) MarshalJSON() ([]byte, error) {
	if d == 0 {
		return []byte("null"), nil
	}
	b := make([]byte, 0, 12)
	b = append(b, '"')
	b, _ = d.AppendText(b)
	return append(b, '"'), nil
}

// UnmarshalJSON parses the result of MarshalJSON.
func (d *Date) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*d = 0
		return nil
	}
	if len(b) < 2 || b[0] != '"' || b[len(b)-1] != '"' {
		return fmt.Errorf("%s is not a date such as \"2018-03-30\"", b)
	}
	parsed, err := ParseDate(string(b[1 : len(b)-1]))
	*d = parsed
	return err
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Date) UnmarshalText(b []byte) (err error) {
	*d, err = ParseDate(string(b))
	return err
}
