package domain

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// filled returns a value of the given type in which nothing is empty.
func filled(t reflect.Type) reflect.Value {
	v := reflect.New(t).Elem()
	switch x := v.Addr().Interface().(type) {
	case *Date:
		*x = 2018_03_30
		return v
	case *time.Time:
		*x = time.Date(2018, 3, 30, 12, 0, 0, 0, time.UTC)
		return v
	}
	switch t.Kind() {
	case reflect.String:
		v.SetString("text")
	case reflect.Int:
		v.SetInt(7)
	case reflect.Uint8:
		v.SetUint(7)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(t.Elem()))
		v.Elem().Set(filled(t.Elem()))
	case reflect.Slice:
		v.Set(reflect.Append(v, filled(t.Elem())))
	case reflect.Map:
		v.Set(reflect.MakeMap(t))
		v.SetMapIndex(filled(t.Key()), filled(t.Elem()))
	case reflect.Struct:
		for i := range t.NumField() {
			v.Field(i).Set(filled(t.Field(i).Type))
		}
	default:
		panic("cannot fill " + t.String())
	}
	return v
}

func TestEveryCommandGoesThroughTheWire(t *testing.T) {
	for _, name := range CommandNames() {
		t.Run(name, func(t *testing.T) {
			for _, c := range []Command{
				filled(commands[name].kind).Interface().(Command),
				reflect.Zero(commands[name].kind).Interface().(Command),
			} {
				encodedName, data, err := EncodeCommand(c)
				require.NoError(t, err)
				require.Equal(t, name, encodedName)
				decoded, err := DecodeCommand(name, data)
				require.NoError(t, err)
				require.Equal(t, c, decoded)
				require.Equal(t, c.Stream(), decoded.Stream())
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

// Whoever made a field of a command without a name on the wire finds it here.
func TestWireNamesAreSnakeCase(t *testing.T) {
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
				require.Regexp(t, `^[a-z][a-z0-9_]*$`, tag, "%s.%s", k, k.Field(i).Name)
				look(k.Field(i).Type)
			}
		}
	}
	for _, f := range commands {
		look(f.kind)
	}
	for _, f := range payloads {
		look(f.kind)
	}
}

func TestUnknownCommandsAreRefused(t *testing.T) {
	_, err := DecodeCommand("milestone.teleport", []byte("{}"))
	require.ErrorContains(t, err, "milestone.teleport")
	type stranger struct{ StartMilestone }
	_, _, err = EncodeCommand(stranger{})
	require.ErrorContains(t, err, "stranger")
	type fact struct{ MilestoneStarted }
	_, _, err = EncodeEvent(fact{})
	require.ErrorContains(t, err, "fact")
}

// A plan, which reads what json.Marshal wrote in one pass, and encoding/json must never disagree.
func FuzzDecodeCommand(f *testing.F) {
	for _, name := range CommandNames() {
		for _, v := range []reflect.Value{filled(commands[name].kind), reflect.Zero(commands[name].kind)} {
			_, data, err := EncodeCommand(v.Interface().(Command))
			require.NoError(f, err)
			f.Add(name, data)
		}
	}
	f.Add("milestone.progress", []byte(`{"ref":{"Agreement":"a","Project":"p","Milestone":"m"},"percent":-0,"note":null}`))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		c, err := DecodeCommand(name, data)
		if err != nil {
			return
		}
		slow := reflect.New(commands[name].kind)
		require.NoError(t, json.Unmarshal(data, slow.Interface()))
		require.Equal(t, slow.Elem().Interface(), c)
		_, once, err := EncodeCommand(c)
		require.NoError(t, err)
		c, err = DecodeCommand(name, once)
		require.NoError(t, err)
		_, twice, err := EncodeCommand(c)
		require.NoError(t, err)
		require.Equal(t, string(once), string(twice))
	})
}
