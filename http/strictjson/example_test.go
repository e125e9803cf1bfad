package strictjson_test

import (
	"fmt"
	"reflect"

	"tandem/http/strictjson"
)

// A decoder reports all wrong values of a body, and an unknown field alone.
func ExampleDecoder_Decode() {
	type comment struct {
		Text  string `json:"text"`
		Stars int    `json:"stars,omitempty"`
	}
	decoder := strictjson.New(reflect.TypeFor[comment](), nil)
	for _, body := range []string{`{"text":"Well done","stars":5}`, `{"stars":"five"}`, `{"text":"Well done","star":5}`} {
		value, err := decoder.Decode([]byte(body))
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Printf("%+v\n", *value.(*comment))
	}
	// Output:
	// {Text:Well done Stars:5}
	// stars: must be a whole number; text: required
	// unknown_field: The field "star" is unknown.
}
