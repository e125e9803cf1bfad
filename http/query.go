package http

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"tandem/domain"
	"tandem/projections/sentences"
)

const (
	defaultLimit = 50
	maxLimit     = 200
)

// parameter is a query parameter of a route and its description.
type parameter struct {
	name, doc, kind string   // kind: string, integer, boolean, date
	values          []string // allowed values; empty: any
}

// queryValues returns the query's values. It refuses unknown and repeated parameters, because ignoring a mistyped
// filter would return more than the client asked for.
func (c *call) queryValues() (url.Values, error) {
	if c.request.URL.RawQuery == "" {
		return nil, nil
	}
	values, err := url.ParseQuery(c.request.URL.RawQuery)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "invalid_query", "The query string cannot be parsed.")
	}
	for name, list := range values {
		switch {
		case !slices.ContainsFunc(c.route.query, func(param parameter) bool { return param.name == name }):
			return nil, refuse(http.StatusBadRequest, "unknown_parameter", "Parameter %q does not exist on this route.", name)
		case len(list) > 1:
			return nil, refuse(http.StatusBadRequest, "duplicate_parameter", "Parameter %s occurs twice.", name)
		case !utf8.ValidString(list[0]) || strings.Contains(list[0], "\x00"):
			return nil, refuse(http.StatusBadRequest, "invalid_query", "Parameter %s is not valid UTF-8.", name)
		}
	}
	return values, nil
}

// waitDuration returns how long a read may wait for a change.
func (c *call) waitDuration() (time.Duration, error) {
	values, err := c.queryValues()
	if err != nil || !values.Has("wait") {
		return 0, err
	}
	seconds, err := strconv.Atoi(values.Get("wait"))
	if err != nil || seconds < 0 {
		return 0, invalid(domain.FieldError{Field: "wait", Message: "must be a number of seconds from 0 to 60"})
	}
	return min(time.Duration(seconds)*time.Second, maxWait), nil
}

// queryReader parses parameters and collects their errors.
type queryReader struct {
	values      url.Values
	fieldErrors []domain.FieldError
}

func (c *call) parseQuery() (*queryReader, error) {
	values, err := c.queryValues()
	return &queryReader{values: values}, err
}

func (q *queryReader) err() error {
	if len(q.fieldErrors) > 0 {
		return invalid(q.fieldErrors...)
	}
	return nil
}

func (q *queryReader) addError(name, message string) {
	q.fieldErrors = append(q.fieldErrors, domain.FieldError{Field: name, Message: message})
}

func (q *queryReader) limit() int {
	if !q.values.Has("limit") {
		return defaultLimit
	}
	n, err := strconv.Atoi(q.values.Get("limit"))
	if err != nil || n < 1 || n > maxLimit {
		q.addError("limit", "must be a number from 1 to "+strconv.Itoa(maxLimit))
	}
	return n
}

func (q *queryReader) date(name string) domain.Date {
	if !q.values.Has(name) {
		return 0
	}
	date, err := domain.ParseDate(q.values.Get(name))
	if err != nil {
		q.addError(name, "must be a date such as 2018-03-30")
	}
	return date
}

func (q *queryReader) boolean(name string) *bool {
	if !q.values.Has(name) {
		return nil
	}
	yes := q.values.Get(name) == "true"
	if !yes && q.values.Get(name) != "false" {
		q.addError(name, "must be true or false")
	}
	return &yes
}

func (q *queryReader) oneOf(name string, allowed []string) string {
	value := q.values.Get(name)
	if q.values.Has(name) && !slices.Contains(allowed, value) {
		q.addError(name, "is not one of "+strings.Join(allowed, ", "))
	}
	return value
}

// language returns the language of sentences; empty by default.
func (q *queryReader) language() string { return q.oneOf("language", sentences.Languages()) }

func (q *queryReader) slug(name string) string {
	value := q.values.Get(name)
	if q.values.Has(name) && !domain.ValidSlug(value) {
		q.addError(name, "is not an id")
	}
	return value
}

// cursorPrefix starts every cursor, so that other strings are refused.
const cursorPrefix = "after "

// paginate returns the page of a list selected by limit and cursor, and the cursor of the next page. A cursor is the
// key of the last element returned. In a list sorted by key, pages neither repeat nor omit elements if that element
// has disappeared meanwhile.
func paginate[T any](query *queryReader, list []T, key func(T) string) ([]T, *string) {
	limit := query.limit()
	if query.values.Has("cursor") {
		text, err := base64.RawURLEncoding.DecodeString(query.values.Get("cursor"))
		after, ours := strings.CutPrefix(string(text), cursorPrefix)
		if err != nil || !ours {
			query.addError("cursor", "must be a cursor returned by this list")
		}
		list = list[indexAfter(list, after, key):]
	}
	if len(query.fieldErrors) > 0 || len(list) <= limit {
		return list, nil
	}
	next := base64.RawURLEncoding.EncodeToString([]byte(cursorPrefix + key(list[limit-1])))
	return list[:limit], &next
}

// indexAfter returns the index of the first element after the given key.
func indexAfter[T any](list []T, after string, key func(T) string) int {
	if i := slices.IndexFunc(list, func(element T) bool { return key(element) == after }); i >= 0 {
		return i + 1
	}
	if i := slices.IndexFunc(list, func(element T) bool { return key(element) > after }); i >= 0 {
		return i
	}
	return len(list)
}
