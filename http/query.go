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

// parameter is a query parameter of a route, as the API description tells it.
type parameter struct {
	name, doc, kind string   // kind: string, integer, boolean, date
	values          []string // the only ones allowed; empty: any
}

// queryValues returns the query's values. What the route does not know, or what is there twice, is
// refused: a misspelt filter that is passed over would answer more than was asked for.
func (c *call) queryValues() (url.Values, error) {
	if c.request.URL.RawQuery == "" {
		return nil, nil
	}
	values, err := url.ParseQuery(c.request.URL.RawQuery)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "invalid_query", "The query is not well formed.")
	}
	for name, list := range values {
		switch {
		case !slices.ContainsFunc(c.route.query, func(param parameter) bool { return param.name == name }):
			return nil, refuse(http.StatusBadRequest, "unknown_parameter", "There is no parameter %q here.", name)
		case len(list) > 1:
			return nil, refuse(http.StatusBadRequest, "duplicate_parameter", "The parameter %s is there twice.", name)
		case !utf8.ValidString(list[0]) || strings.Contains(list[0], "\x00"):
			return nil, refuse(http.StatusBadRequest, "invalid_query", "The parameter %s is not text in UTF-8.", name)
		}
	}
	return values, nil
}

// waitDuration returns for how long a read may wait for a change.
func (c *call) waitDuration() (time.Duration, error) {
	values, err := c.queryValues()
	if err != nil || !values.Has("wait") {
		return 0, err
	}
	seconds, err := strconv.Atoi(values.Get("wait"))
	if err != nil || seconds < 0 {
		return 0, invalid(domain.FieldError{Field: "wait", Message: "is not a number of seconds from 0 to 60"})
	}
	return min(time.Duration(seconds)*time.Second, maxWait), nil
}

// queryReader reads parameters and collects what is wrong with them.
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
		q.addError("limit", "is not a number from 1 to "+strconv.Itoa(maxLimit))
	}
	return n
}

func (q *queryReader) date(name string) domain.Date {
	if !q.values.Has(name) {
		return 0
	}
	date, err := domain.ParseDate(q.values.Get(name))
	if err != nil {
		q.addError(name, "is not a date such as 2018-03-30")
	}
	return date
}

func (q *queryReader) boolean(name string) *bool {
	if !q.values.Has(name) {
		return nil
	}
	yes := q.values.Get(name) == "true"
	if !yes && q.values.Get(name) != "false" {
		q.addError(name, "is neither true nor false")
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

// language is that of sentences; empty unless given.
func (q *queryReader) language() string { return q.oneOf("language", sentences.Languages()) }

func (q *queryReader) slug(name string) string {
	value := q.values.Get(name)
	if q.values.Has(name) && !domain.ValidSlug(value) {
		q.addError(name, "is not an id")
	}
	return value
}

// cursorPrefix begins every cursor, so that a made-up one is told from ours.
const cursorPrefix = "after "

// paginate returns the part of a list that limit and cursor ask for, and the cursor of the next one.
// A cursor is the key of the last element told. In a list that is sorted by key, that element may
// have gone meanwhile: what follows is still neither told twice nor left out.
func paginate[T any](query *queryReader, list []T, key func(T) string) ([]T, *string) {
	limit := query.limit()
	if query.values.Has("cursor") {
		text, err := base64.RawURLEncoding.DecodeString(query.values.Get("cursor"))
		after, ours := strings.CutPrefix(string(text), cursorPrefix)
		if err != nil || !ours {
			query.addError("cursor", "is not a cursor that this list gave")
		}
		list = list[indexAfter(list, after, key):]
	}
	if len(query.fieldErrors) > 0 || len(list) <= limit {
		return list, nil
	}
	next := base64.RawURLEncoding.EncodeToString([]byte(cursorPrefix + key(list[limit-1])))
	return list[:limit], &next
}

// indexAfter returns where the list goes on after the given key.
func indexAfter[T any](list []T, after string, key func(T) string) int {
	if i := slices.IndexFunc(list, func(element T) bool { return key(element) == after }); i >= 0 {
		return i + 1
	}
	if i := slices.IndexFunc(list, func(element T) bool { return key(element) > after }); i >= 0 {
		return i
	}
	return len(list)
}
