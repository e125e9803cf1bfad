package domain

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const eventExamples = "testdata/events"

// examples returns the stored examples of an event type: <type>.json, and <type>+<field>.json for each optional
// field that was added later.
func examples(t testing.TB, stored string) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(eventExamples, stored+"*.json"))
	require.NoError(t, err)
	found := map[string][]byte{}
	for _, path := range files {
		if strings.Split(strings.TrimSuffix(filepath.Base(path), ".json"), "+")[0] != stored {
			continue
		}
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		found[filepath.Base(path)] = bytes.TrimSuffix(data, []byte("\n"))
	}
	return found
}

func TestStoredExamplesRoundTrip(t *testing.T) {
	for _, stored := range EventTypes() {
		t.Run(stored, func(t *testing.T) {
			files := examples(t, stored)
			require.Contains(t, files, stored+".json", "every stored type has a filled example")
			unset := unsetFields(reflect.New(payloads[stored].goType).Elem(), "")
			for name, data := range files {
				payload, err := DecodeEvent(stored, data)
				require.NoError(t, err, name)
				again, encoded, err := EncodeEvent(payload)
				require.NoError(t, err, name)
				require.Equal(t, stored, again, name)
				require.Equal(t, string(data), string(encoded),
					"%s: events like this are stored for ever and must be read and written as they were.\n"+
						"Give the new shape a type of its own (…v2) and keep this one.", name)
				here := unsetFields(reflect.ValueOf(payload), "")
				unset = slices.DeleteFunc(unset, func(f string) bool { return !slices.Contains(here, f) })
			}
			require.Empty(t, unset, "no example has these fields; an optional field that was added "+
				"to a stored type gets an example named %s+<field>.json", stored)
		})
	}
}

// unsetFields returns the paths of the empty fields of a value.
func unsetFields(value reflect.Value, path string) []string {
	switch {
	case value.Kind() == reflect.Struct && value.NumField() > 0 && value.Field(0).CanInterface():
		var unset []string
		for i := range value.NumField() {
			if value.Type().Field(i).Tag.Get("json") == "-" { // not stored
				continue
			}
			unset = append(unset, unsetFields(value.Field(i), path+"."+value.Type().Field(i).Name)...)
		}
		return unset
	case value.Kind() == reflect.Pointer:
		if value.IsNil() {
			value = reflect.New(value.Type().Elem())
		}
		return unsetFields(value.Elem(), path)
	case value.Kind() == reflect.Slice && value.Type().Elem().Kind() == reflect.Struct:
		if value.Len() == 0 {
			return unsetFields(reflect.New(value.Type().Elem()).Elem(), path)
		}
		return unsetFields(value.Index(0), path)
	case path != "" && value.IsZero():
		return []string{path}
	}
	return nil
}

func TestStoredExamplesNeverChange(t *testing.T) {
	list, err := os.ReadFile(filepath.Join(eventExamples, "SHA256SUMS"))
	require.NoError(t, err)
	known := map[string]string{}
	for line := range strings.Lines(string(list)) {
		sum, name, ok := strings.Cut(strings.TrimSpace(line), "  ")
		require.True(t, ok, "a line is a sum, two spaces and a file: %q", line)
		known[name] = sum
	}
	files, err := filepath.Glob(filepath.Join(eventExamples, "*.json"))
	require.NoError(t, err)
	for _, path := range files {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		name, sum := filepath.Base(path), sha256.Sum256(data)
		require.Contains(t, known, name, "a new example: add its line to SHA256SUMS")
		require.Equal(t, known[name], hex.EncodeToString(sum[:]),
			"%s was changed. It represents events in existing logs and can never change: "+
				"restore it, and give the new shape a version of its own.", name)
		delete(known, name)
	}
	require.Empty(t, known, "these examples were removed; history still has such events")
}

func TestUnknownEventTypes(t *testing.T) {
	_, err := DecodeEvent("milestone.teleported.v1", []byte("{}"))
	require.ErrorContains(t, err, "milestone.teleported.v1")
	_, err = DecodeEvent("milestone.delivered.v2", []byte("{}"))
	require.ErrorContains(t, err, "milestone.delivered.v2")
}

func TestDamagedEvents(t *testing.T) {
	for name, data := range map[string]string{
		"empty":              ``,
		"null":               `null`,
		"a list":             `[]`,
		"a string":           `"x"`,
		"cut off":            `{`,
		"two objects":        `{}{}`,
		"text after the end": `{} x`,
		"a string as number": `{"round":"two"}`,
		"no such date":       `{"on":"2018-02-30"}`,
		"a raw line break":   "{\"evidence\":[{\"title\":\"a\nb\"}]}",
		"a number too large": `{"on":"2018-03-30","round":99999999999999999999,"acceptors":["xiaomi"]}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := DecodeEvent("milestone.delivered.v1", []byte(data))
			require.Error(t, err)
		})
	}
}

func TestPublicType(t *testing.T) {
	require.Equal(t, "milestone.delivered", PublicType("milestone.delivered.v1"))
	require.Equal(t, "milestone.delivered", PublicType("milestone.delivered"))
}

// The one-pass reader and encoding/json must agree.
func FuzzDecodeEvent(f *testing.F) {
	for _, stored := range EventTypes() {
		for _, data := range examples(f, stored) {
			f.Add(stored, data)
		}
	}
	f.Add("milestone.commented.v1", []byte(`{"text":"a \"quoted\" \u4e2d word"}`))
	f.Add("milestone.commented.v1", []byte(`{"text":"a line\nand \u4e2d"}`))
	f.Add("milestone.commented.v1", []byte("{\"text\":\"\xff\"}"))
	f.Add("milestone.progressed.v1", []byte(`{"to":{"percent":1e2},"from":{"percent":-1}}`))
	f.Add("milestone.waived.v1", []byte(`{"from":"planned", "remaining":[], "acceptor":null}`))
	f.Fuzz(func(t *testing.T, stored string, data []byte) {
		payload, err := DecodeEvent(stored, data)
		if err != nil {
			return
		}
		slow := reflect.New(payloads[stored].goType)
		require.NoError(t, json.Unmarshal(data, slow.Interface()))
		require.Equal(t, slow.Elem().Interface(), payload)
		_, once, err := EncodeEvent(payload)
		require.NoError(t, err)
		payload, err = DecodeEvent(stored, once)
		require.NoError(t, err)
		_, twice, err := EncodeEvent(payload)
		require.NoError(t, err)
		require.Equal(t, string(once), string(twice))
	})
}
