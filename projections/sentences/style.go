package sentences

import (
	"fmt"
	"strconv"
	"strings"

	"tandem/domain"
)

// style is the form of dates and lists in a language.
type style struct {
	comma, and, or string
	clause         string // separates clauses
	semicolon      string // separates elements that can contain clauses
	date           func(domain.Date) string
	span           func(from, to domain.Date) string
	thousands      string // separates groups of three digits
	markValues     bool   // spaces separate Chinese characters from inserted Latin letters and digits
}

func styles() map[string]style {
	return map[string]style{
		English: {", ", " and ", " or ", ", ", "; ", englishDate, englishSpan, ",", false},
		Chinese: {"、", "和", "或", "，", "；", chineseDate, func(from, to domain.Date) string {
			return "由 " + chineseDate(from) + "改为 " + chineseDate(to)
		}, ",", true},
		Finnish: {", ", " ja ", " tai ", ", ", "; ", finnishDate, func(from, to domain.Date) string {
			return finnishDate(to) + " (aiemmin " + finnishDate(from) + ")"
		}, "\u00a0", false},
	}
}

// number formats a number of at least zero with separated thousands.
func (s style) number(number int) string {
	digits := strconv.Itoa(number)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + s.thousands + digits[i:]
	}
	return digits
}

func (s style) join(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	if s.markValues {
		return spaced(strings.Join(markEach(names[:last]), s.comma) + s.and + mark(names[last]))
	}
	return strings.Join(names[:last], s.comma) + s.and + names[last]
}

func englishDate(date domain.Date) string { return date.Time().Format("2 January 2006") }

// englishSpan omits the month and the year of the first date where both dates share them: "from 15 to 30 April
// 2018".
func englishSpan(from, to domain.Date) string {
	first, last := from.Time(), to.Time()
	layout := "2 January 2006"
	switch {
	case first.Year() == last.Year() && first.Month() == last.Month():
		layout = "2"
	case first.Year() == last.Year():
		layout = "2 January"
	}
	return "from " + first.Format(layout) + " to " + englishDate(to)
}

func chineseDate(date domain.Date) string {
	day := date.Time()
	return fmt.Sprintf("%d年%d月%d日", day.Year(), day.Month(), day.Day())
}

func finnishDate(date domain.Date) string { return date.Time().Format("2.1.2006") }
