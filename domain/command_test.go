package domain

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// filled returns a value of the given type without empty fields.
func filled(typ reflect.Type) reflect.Value {
	value := reflect.New(typ).Elem()
	switch x := value.Addr().Interface().(type) {
	case *Date:
		*x = 2018_03_30
		return value
	case *time.Time:
		*x = time.Date(2018, 3, 30, 12, 0, 0, 0, time.UTC)
		return value
	}
	switch typ.Kind() {
	case reflect.String:
		value.SetString("text")
	case reflect.Int:
		value.SetInt(7)
	case reflect.Uint8:
		value.SetUint(7)
	case reflect.Bool:
		value.SetBool(true)
	case reflect.Pointer:
		value.Set(reflect.New(typ.Elem()))
		value.Elem().Set(filled(typ.Elem()))
	case reflect.Slice:
		value.Set(reflect.Append(value, filled(typ.Elem())))
	case reflect.Map:
		value.Set(reflect.MakeMap(typ))
		value.SetMapIndex(filled(typ.Key()), filled(typ.Elem()))
	case reflect.Struct:
		for i := range typ.NumField() {
			if typ.Field(i).Tag.Get("json") == "-" { // not stored
				continue
			}
			value.Field(i).Set(filled(typ.Field(i).Type))
		}
	default:
		panic("cannot fill " + typ.String())
	}
	return value
}

func TestCommandsRoundTrip(t *testing.T) {
	for _, name := range CommandNames() {
		t.Run(name, func(t *testing.T) {
			for _, command := range []Command{
				filled(commands[name].goType).Interface().(Command),
				reflect.Zero(commands[name].goType).Interface().(Command),
			} {
				encodedName, data, err := EncodeCommand(command)
				require.NoError(t, err)
				require.Equal(t, name, encodedName)
				decoded, err := DecodeCommand(name, data)
				require.NoError(t, err)
				require.Equal(t, command, decoded)
				require.Equal(t, command.Stream(), decoded.Stream())
				unknown := strings.Replace(string(data), "{", `{"surprise":1,`, 1)
				for _, bad := range []string{
					unknown, string(data) + "{}", string(data) + "x", "[" + string(data) + "]",
					string(data[:len(data)-1]), "null", "", `"text"`,
				} {
					_, err := DecodeCommand(name, []byte(bad))
					require.Error(t, err, bad)
				}
			}
		})
	}
}

// Every field of a command or event has an explicit JSON name.
func TestJSONNamesAreSnakeCase(t *testing.T) {
	var look func(t2 reflect.Type)
	look = func(k reflect.Type) {
		switch k.Kind() {
		case reflect.Pointer, reflect.Slice:
			look(k.Elem())
		case reflect.Struct:
			if k == reflect.TypeFor[time.Time]() || strings.HasSuffix(k.Name(), "Ref") {
				return
			}
			for i := range k.NumField() {
				tag, _, _ := strings.Cut(k.Field(i).Tag.Get("json"), ",")
				if tag == "-" { // not stored
					continue
				}
				if tag != "" || !k.Field(i).Anonymous {
					require.Regexp(t, `^[a-z][a-z0-9_]*$`, tag, "%s.%s", k, k.Field(i).Name)
				}
				look(k.Field(i).Type)
			}
		}
	}
	for _, format := range commands {
		look(format.goType)
	}
	for _, format := range payloads {
		look(format.goType)
	}
}

func TestUnknownTypes(t *testing.T) {
	_, err := DecodeCommand("milestone.teleport", []byte("{}"))
	require.ErrorContains(t, err, "milestone.teleport")
	type stranger struct{ StartMilestone }
	_, _, err = EncodeCommand(stranger{})
	require.ErrorContains(t, err, "stranger")
	type fact struct{ MilestoneStarted }
	_, _, err = EncodeEvent(fact{})
	require.ErrorContains(t, err, "fact")
}

// The one-pass reader and encoding/json must agree.
func FuzzDecodeCommand(f *testing.F) {
	for _, name := range CommandNames() {
		for _, value := range []reflect.Value{filled(commands[name].goType), reflect.Zero(commands[name].goType)} {
			_, data, err := EncodeCommand(value.Interface().(Command))
			require.NoError(f, err)
			f.Add(name, data)
		}
	}
	f.Add("milestone.progress", []byte(`{"ref":{"Agreement":"a","Project":"p","Milestone":"m"},"percent":-0,"note":null}`))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		command, err := DecodeCommand(name, data)
		if err != nil {
			return
		}
		slow := reflect.New(commands[name].goType)
		require.NoError(t, json.Unmarshal(data, slow.Interface()))
		require.Equal(t, slow.Elem().Interface(), command)
		_, once, err := EncodeCommand(command)
		require.NoError(t, err)
		command, err = DecodeCommand(name, once)
		require.NoError(t, err)
		_, twice, err := EncodeCommand(command)
		require.NoError(t, err)
		require.Equal(t, string(once), string(twice))
	})
}
