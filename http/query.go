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

// parameters returns the query's values. What the route does not know, or what is there twice, is
// refused: a misspelt filter that is passed over would answer more than was asked for.
func (q *call) parameters() (url.Values, error) {
	if q.r.URL.RawQuery == "" {
		return nil, nil
	}
	values, err := url.ParseQuery(q.r.URL.RawQuery)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "invalid_query", "The query is not well formed.")
	}
	for name, list := range values {
		switch {
		case !slices.ContainsFunc(q.rt.query, func(p parameter) bool { return p.name == name }):
			return nil, refuse(http.StatusBadRequest, "unknown_parameter", "There is no parameter %q here.", name)
		case len(list) > 1:
			return nil, refuse(http.StatusBadRequest, "duplicate_parameter", "The parameter %s is there twice.", name)
		case !utf8.ValidString(list[0]) || strings.Contains(list[0], "\x00"):
			return nil, refuse(http.StatusBadRequest, "invalid_query", "The parameter %s is not text in UTF-8.", name)
		}
	}
	return values, nil
}

// wait returns for how long a read may wait for a change.
func (q *call) wait() (time.Duration, error) {
	values, err := q.parameters()
	if err != nil || !values.Has("wait") {
		return 0, err
	}
	seconds, err := strconv.Atoi(values.Get("wait"))
	if err != nil || seconds < 0 {
		return 0, invalid(domain.FieldError{Field: "wait", Message: "is not a number of seconds from 0 to 60"})
	}
	return min(time.Duration(seconds)*time.Second, maxWait), nil
}

// asked reads parameters and collects what is wrong with them.
type asked struct {
	values url.Values
	faults []domain.FieldError
}

func (q *call) asked() (*asked, error) {
	values, err := q.parameters()
	return &asked{values: values}, err
}

func (a *asked) err() error {
	if len(a.faults) > 0 {
		return invalid(a.faults...)
	}
	return nil
}

func (a *asked) fault(name, message string) {
	a.faults = append(a.faults, domain.FieldError{Field: name, Message: message})
}

func (a *asked) limit() int {
	if !a.values.Has("limit") {
		return defaultLimit
	}
	n, err := strconv.Atoi(a.values.Get("limit"))
	if err != nil || n < 1 || n > maxLimit {
		a.fault("limit", "is not a number from 1 to "+strconv.Itoa(maxLimit))
	}
	return n
}

func (a *asked) date(name string) domain.Date {
	if !a.values.Has(name) {
		return 0
	}
	d, err := domain.ParseDate(a.values.Get(name))
	if err != nil {
		a.fault(name, "is not a date such as 2018-03-30")
	}
	return d
}

func (a *asked) boolean(name string) *bool {
	if !a.values.Has(name) {
		return nil
	}
	yes := a.values.Get(name) == "true"
	if !yes && a.values.Get(name) != "false" {
		a.fault(name, "is neither true nor false")
	}
	return &yes
}

func (a *asked) oneOf(name string, allowed []string) string {
	v := a.values.Get(name)
	if a.values.Has(name) && !slices.Contains(allowed, v) {
		a.fault(name, "is not one of "+strings.Join(allowed, ", "))
	}
	return v
}

// language is that of sentences; empty unless given.
func (a *asked) language() string { return a.oneOf("language", sentences.Languages()) }

func (a *asked) slug(name string) string {
	v := a.values.Get(name)
	if a.values.Has(name) && !domain.ValidSlug(v) {
		a.fault(name, "is not an id")
	}
	return v
}

// cursorMark begins every cursor, so that a made-up one is told from ours.
const cursorMark = "after "

// part returns the part of a list that limit and cursor ask for, and the cursor of the next one.
// A cursor is the key of the last element told. In a list that is sorted by key, that element may
// have gone meanwhile: what follows is still neither told twice nor left out.
func part[T any](a *asked, list []T, key func(T) string) ([]T, *string) {
	limit := a.limit()
	if a.values.Has("cursor") {
		text, err := base64.RawURLEncoding.DecodeString(a.values.Get("cursor"))
		after, ours := strings.CutPrefix(string(text), cursorMark)
		if err != nil || !ours {
			a.fault("cursor", "is not a cursor that this list gave")
		}
		list = list[following(list, after, key):]
	}
	if len(a.faults) > 0 || len(list) <= limit {
		return list, nil
	}
	next := base64.RawURLEncoding.EncodeToString([]byte(cursorMark + key(list[limit-1])))
	return list[:limit], &next
}

// following returns where the list goes on after the given key.
func following[T any](list []T, after string, key func(T) string) int {
	if i := slices.IndexFunc(list, func(x T) bool { return key(x) == after }); i >= 0 {
		return i + 1
	}
	if i := slices.IndexFunc(list, func(x T) bool { return key(x) > after }); i >= 0 {
		return i
	}
	return len(list)
}
