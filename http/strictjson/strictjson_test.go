package strictjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"tandem/http/strictjson"
)

type order struct {
	Title  string     `json:"title"`
	Amount int        `json:"amount,omitempty"`
	Note   *string    `json:"note,omitempty" nullable:"true"`
	Since  *time.Time `json:"since,omitempty"`
	Lines  []line     `json:"lines,omitempty"`
}

type line struct {
	Name string `json:"name"`
	Open bool   `json:"open,omitempty"`
}

var orders = strictjson.New(reflect.TypeFor[order](), nil)

func TestDecode(t *testing.T) {
	for _, test := range []struct {
		name, body string
		want       order
	}{
		{"required field only", `{"title":"chips"}`, order{Title: "chips"}},
		{"empty string counts as given", `{"title":""}`, order{}},
		{"nested list", `{"title":"chips","lines":[{"name":"a","open":true}]}`, order{Title: "chips", Lines: []line{{"a", true}}}},
		{"null clears a nullable field", `{"title":"chips","note":null}`, order{Title: "chips", Note: new(string)}},
		{"white space around the object", " {\"title\":\"chips\"}\n", order{Title: "chips"}},
		{"escaped backslash before u0000", `{"title":"\\u0000"}`, order{Title: `\u0000`}},
		{"brackets inside a string", `{"title":"` + strings.Repeat("[", 99) + `"}`, order{Title: strings.Repeat("[", 99)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := orders.Decode([]byte(test.body))
			require.NoError(t, err)
			require.Equal(t, &test.want, got)
		})
	}
}

func TestFormatErrors(t *testing.T) {
	for _, test := range []struct{ name, body, code, field string }{
		{"empty body", ``, strictjson.InvalidJSON, ""},
		{"list", `[]`, strictjson.InvalidJSON, ""},
		{"unfinished object", `{"title":"a"`, strictjson.InvalidJSON, ""},
		{"trailing comma", `{"title":"a",}`, strictjson.InvalidJSON, ""},
		{"data after the object", `{"title":"a"} {}`, strictjson.InvalidJSON, ""},
		{"invalid UTF-8", "{\"title\":\"a\xff\"}", strictjson.InvalidJSON, ""},
		{"lone surrogate", `{"title":"\ud800"}`, strictjson.InvalidJSON, ""},
		{"escaped NUL", `{"title":"a\u0000"}`, strictjson.InvalidCharacter, ""},
		{"repeated name", `{"title":"a","title":"b"}`, strictjson.DuplicateField, ""},
		{"repeated name in a nested object", `{"title":"a","lines":[{"name":"a","name":"b"}]}`, strictjson.DuplicateField, ""},
		{"unknown name", `{"tilte":"a"}`, strictjson.UnknownField, "tilte"},
		{"name in another case", `{"Title":"a"}`, strictjson.UnknownField, "Title"},
		{"unknown name in a nested object", `{"title":"a","lines":[{"name":"a"},{"size":1}]}`, strictjson.UnknownField, "lines[1].size"},
		{"nesting", strings.Repeat("[", 33), strictjson.TooDeep, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := orders.Decode([]byte(test.body))
			var format *strictjson.FormatError
			require.ErrorAs(t, err, &format)
			require.Equal(t, test.code, format.Code)
			require.Equal(t, test.field, format.Field)
		})
	}
}

// Decode reports every wrong value of a body, with its path.
func TestFieldErrors(t *testing.T) {
	_, err := orders.Decode([]byte(`{"amount":"7","note":3,"since":"yesterday","lines":[{"name":null},{"open":1}]}`))
	var wrong strictjson.FieldErrors
	require.ErrorAs(t, err, &wrong)
	require.Equal(t, strictjson.FieldErrors{
		{"amount", "must be a whole number"},
		{"note", "must be a string"},
		{"since", "must be an instant such as 2018-03-30T09:00:00Z"},
		{"lines[1].open", "must be true or false"},
		{"title", "required"},
	}, wrong)
	_, err = orders.Decode([]byte(`{"title":null}`))
	require.EqualError(t, err, "title: must not be null")
}

// FuzzDecode checks the promises of the package for any input: an accepted body is one object that encoding/json
// accepts with the same value, is valid UTF-8, has every required field, and decodes to the same value after it is
// written again; any other body gets one of the two kinds of error.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"title":"chips","amount":7,"note":null,"since":"2018-03-30T09:00:00Z","lines":[{"name":"a","open":true}]}`,
		`{"title":"\u0000"}`, `{"title":"a","title":"b"}`, `{"Title":1}`, `[[[]]]`, "{\"title\":\"\xff\"}", `{"title":"\ud800"}`, ` {"title":"a"} {}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		decoded, err := orders.Decode(body)
		require.Equal(t, before, body, "Decode changed the body")
		if err != nil {
			require.Nil(t, decoded)
			var format *strictjson.FormatError
			var wrong strictjson.FieldErrors
			require.True(t, errors.As(err, &format) || errors.As(err, &wrong), "%T: %v", err, err)
			return
		}
		require.True(t, utf8.Valid(body))
		got := decoded.(*order)
		require.NotContains(t, got.Title, "\x00")
		members := map[string]json.RawMessage{}
		require.NoError(t, json.Unmarshal(body, &members))
		require.Contains(t, members, "title")
		var lenient order
		require.NoError(t, json.Unmarshal(body, &lenient))
		if lenient.Note == nil && members["note"] != nil {
			lenient.Note = new(string) // null clears
		}
		require.Equal(t, &lenient, got)
		if len(got.Lines) == 0 {
			got.Lines = nil // omitempty omits an empty list
		}
		again, err := json.Marshal(got)
		require.NoError(t, err)
		repeated, err := orders.Decode(again)
		require.NoError(t, err)
		require.Equal(t, got, repeated)
	})
}
