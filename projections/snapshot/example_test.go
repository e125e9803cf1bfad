package snapshot_test

import (
	"fmt"
	"reflect"

	"tandem/projections/snapshot"
)

type partner struct {
	ID        string
	Countries []string
}

func ExampleFormat() {
	format, err := snapshot.NewFormat("1", reflect.TypeFor[[]partner]())
	if err != nil {
		panic(err)
	}
	file := format.AppendHeader(nil)
	file = format.AppendSection(file, 1, []partner{{ID: "nokia", Countries: []string{"FI"}}})
	file = format.AppendEnd(file)

	sections, err := format.Sections(file)
	if err != nil {
		panic(err)
	}
	value, err := format.Decode(sections[0])
	fmt.Println(value, err)

	newer, err := snapshot.NewFormat("2", reflect.TypeFor[[]partner]())
	if err != nil {
		panic(err)
	}
	_, err = newer.Sections(file)
	fmt.Println(err)
	// Output:
	// [{nokia [FI]}] <nil>
	// the snapshot was written by another version
}
