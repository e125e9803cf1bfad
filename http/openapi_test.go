package http

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"tandem/domain"
)

var update = flag.Bool("update", false, "rewrite openapi.json")

// TestDescriptionIsCommitted fails if the committed description differs from the API.
func TestDescriptionIsCommitted(t *testing.T) {
	const file = "openapi.json"
	made, err := describe("")
	require.NoError(t, err)
	var pretty bytes.Buffer
	require.NoError(t, json.Indent(&pretty, made, "", "  "))
	pretty.WriteByte('\n')
	if *update {
		require.NoError(t, os.WriteFile(file, pretty.Bytes(), 0o644))
	}
	committed, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(committed), pretty.String(), "if the change is meant, rewrite the file with go test ./http -update")
}

func described(t *testing.T) *openapi3.T {
	t.Helper()
	made, err := describe("https://tandem.example")
	require.NoError(t, err)
	doc, err := openapi3.NewLoader().LoadFromData(made)
	require.NoError(t, err)
	return doc
}

// TestDescriptionIsValid checks the document as OpenAPI 3.1, and its schemas as JSON Schema 2020-12.
func TestDescriptionIsValid(t *testing.T) {
	doc := described(t)
	require.True(t, doc.IsOpenAPI31OrLater())
	require.NoError(t, doc.Validate(t.Context()))
	require.Equal(t, "https://tandem.example", doc.Servers[0].URL)
}

func TestDescriptionHasEveryRoute(t *testing.T) {
	doc := described(t)
	count := 0
	for _, rt := range routes() {
		item := doc.Paths.Value(rt.path)
		require.NotNil(t, item, rt.path)
		op := item.GetOperation(rt.method)
		require.NotNil(t, op, "%s %s", rt.method, rt.path)
		require.Equal(t, rt.operationID, op.OperationID)
		require.Equal(t, strings.Count(rt.path, "{"), len(parametersIn(op, "path")), rt.path)
		for _, status := range rt.success {
			require.NotNil(t, op.Responses.Status(status), "%s %s %d", rt.method, rt.path, status)
		}
		require.Equal(t, rt.anonymous, op.Security != nil, "%s says that no token is needed", rt.path)
		count++
	}
	described := 0
	for _, item := range doc.Paths.Map() {
		described += len(item.Operations())
	}
	require.Equal(t, count, described)
}

func parametersIn(op *openapi3.Operation, place string) (names []string) {
	for _, p := range op.Parameters {
		if p.Value.In == place {
			names = append(names, p.Value.Name)
		}
	}
	return names
}

func TestDescriptionHasEveryEventType(t *testing.T) {
	union := described(t).Components.Schemas["Event"].Value
	var types []string
	for _, one := range union.OneOf {
		public, ok := one.Value.Properties["type"].Value.Const.(string)
		require.True(t, ok)
		require.Equal(t, one.Ref, union.Discriminator.Mapping[public].Ref)
		data := one.Value.Properties["data"]
		require.True(t, data.Ref != "" || len(data.Value.AnyOf) > 1, "%s has data of its own, or of several versions", public)
		types = append(types, public)
	}
	wanted := make(map[string]bool)
	for _, stored := range domain.EventTypes() {
		wanted[domain.PublicType(stored)] = true
	}
	require.ElementsMatch(t, slices.Collect(maps.Keys(wanted)), types)
}

// TestDescribedRequests compares the description with the decoder.
func TestDescribedRequests(t *testing.T) {
	doc := described(t)
	for _, rt := range routes() {
		if rt.body == nil {
			continue
		}
		body := doc.Paths.Value(rt.path).GetOperation(rt.method).RequestBody
		if rt.body.decoder == nil {
			require.Nil(t, body, rt.path)
			continue
		}
		require.Equal(t, !rt.body.optional, body.Value.Required, rt.path)
		s := body.Value.Content.Get(jsonMedia).Schema.Value
		require.NotNil(t, s.AdditionalProperties.Has, rt.path)
		require.False(t, *s.AdditionalProperties.Has, rt.path)
		require.ElementsMatch(t, rt.body.decoder.Required(), s.Required, rt.path)
		require.Len(t, s.Properties, len(rt.body.decoder.Fields()), rt.path)
		for _, field := range rt.body.decoder.Fields() {
			name := field.Name
			require.Equal(t, field.Nullable, s.Properties[name].Value.Type.Includes("null"), "%s of %s", name, rt.operationID)
		}
	}
}

// TestDescribedValues checks that schemas accept the API's values, and no others.
func TestDescribedValues(t *testing.T) {
	milestone := described(t).Components.Schemas["Milestone"].Value
	for _, c := range []struct {
		field string
		value any
		valid bool
	}{
		{"due_on", "2018-03-30", true},
		{"due_on", nil, false},
		{"baseline_on", nil, true},
		{"health", nil, true},
		{"health", "amber", true},
		{"health", "blue", false},
		{"target", nil, true},
		{"target", map[string]any{"value": 1.5, "unit": "h"}, true},
		{"acceptors", []any{"xiaomi"}, true},
		{"acceptors", []any{"Xiaomi"}, false},
		{"acceptors", nil, false},
		{"audience", "private:nokia", true},
		{"audience", "public", true},
		{"audience", "private", false},
	} {
		err := milestone.Properties[c.field].Value.VisitJSON(c.value, openapi3.EnableJSONSchema2020())
		require.Equal(t, c.valid, err == nil, "%s: %v: %v", c.field, c.value, err)
	}
}

func TestDescribedHeaders(t *testing.T) {
	paths := described(t).Paths
	create := paths.Value("/v1/agreements").GetOperation(http.MethodPost)
	require.Equal(t, []string{"Idempotency-Key", "Prefer"}, parametersIn(create, "header"))
	require.Contains(t, create.Responses.Status(http.StatusCreated).Value.Headers, "Location")
	edit := paths.Value("/v1/agreements/{agreement}").GetOperation(http.MethodPatch)
	require.Contains(t, parametersIn(edit, "header"), "If-Match")
	feed := paths.Value("/v1/agreements/{agreement}/events").GetOperation(http.MethodGet)
	require.Contains(t, parametersIn(feed, "header"), "Last-Event-ID")
	require.NotNil(t, feed.Responses.Status(http.StatusOK).Value.Content.Get(streamMedia))
	require.Contains(t, feed.Responses.Status(http.StatusOK).Value.Headers, "Link")
}
