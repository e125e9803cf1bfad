package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// newTable returns a table without borders, which is readable in a file as well as on a terminal. The
// named columns are right-aligned.
func newTable(out io.Writer, numbers ...string) table.Writer {
	tbl := table.NewWriter()
	tbl.SetOutputMirror(out)
	style := table.StyleLight
	style.Options = table.Options{SeparateHeader: true, SeparateFooter: true}
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	style.Format.Header, style.Format.Footer = text.FormatDefault, text.FormatDefault
	tbl.SetStyle(style)
	tbl.SuppressTrailingSpaces()
	var columns []table.ColumnConfig
	for _, name := range numbers {
		columns = append(columns, table.ColumnConfig{Name: name, Align: text.AlignRight, AlignHeader: text.AlignRight, AlignFooter: text.AlignRight})
	}
	tbl.SetColumnConfigs(columns)
	return tbl
}

// printPairs prints pairs of a label and a value, one per line, with aligned values.
func printPairs(out io.Writer, pairs ...string) {
	width := 0
	for i := 0; i < len(pairs); i += 2 {
		width = max(width, len(pairs[i]))
	}
	for i := 0; i < len(pairs); i += 2 {
		lines := strings.Split(pairs[i+1], "\n")
		fmt.Fprintf(out, "%-*s  %s\n", width, pairs[i], lines[0])
		for _, line := range lines[1:] {
			fmt.Fprintln(out, strings.TrimRight(strings.Repeat(" ", width+2)+line, " "))
		}
	}
}

// formatCount formats a number with commas between groups of three digits.
func formatCount(n uint64) string {
	digits := strconv.FormatUint(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// countOf formats a number with the singular or plural of a noun.
func countOf(n uint64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return formatCount(n) + " " + many
}

// formatSize formats a number of bytes.
func formatSize(n uint64) string {
	if n < 1<<10 {
		return countOf(n, "byte", "bytes")
	}
	value, unit := float64(n), 0
	for value >= 1023.95 && unit < 4 {
		value /= 1 << 10
		unit++
	}
	return fmt.Sprintf("%.1f %ciB", value, " KMGT"[unit])
}

// formatAge formats a duration.
func formatAge(seconds float64) string {
	duration := time.Duration(seconds * float64(time.Second))
	switch {
	case duration < time.Minute:
		return fmt.Sprintf("%.1f s", seconds)
	case duration < time.Hour:
		return duration.Round(time.Second).String()
	}
	return strings.TrimSuffix(duration.Round(time.Minute).String(), "0s")
}
