package snapshot

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// allKinds has a field of every kind that a section can hold.
type allKinds struct {
	Text   string
	Yes    bool
	Small  int32
	Number int
	Count  uint64
	At     time.Time
	Nil    []string
	Some   []string
	Part   *part
	Parts  []*part
	Hash   [32]byte
	Bytes  []byte
	Roles  map[string][]string
	Own    sums
}

type part struct{ Name string }

// sums has a form of its own: the differences of its elements.
type sums []int64

func (s *sums) MarshalSection(writer *Writer) {
	writer.Uvarint(uint64(len(*s)))
	last := int64(0)
	for _, value := range *s {
		writer.Varint(value - last)
		last = value
	}
}

func (s *sums) UnmarshalSection(reader *Reader) {
	*s = make(sums, reader.Count(1))
	last := int64(0)
	for i := range *s {
		last += reader.Varint()
		(*s)[i] = last
	}
}

func drawAllKinds(t *rapid.T) allKinds {
	value := allKinds{
		Text: rapid.String().Draw(t, "text"), Yes: rapid.Bool().Draw(t, "yes"),
		Small: rapid.Int32().Draw(t, "small"), Number: rapid.Int().Draw(t, "number"), Count: rapid.Uint64().Draw(t, "count"),
		At: time.Unix(
			rapid.Int64Range(-62135596800, 253402300799).Draw(t, "seconds"), rapid.Int64Range(0, 999999999).Draw(t, "nanoseconds"),
		).UTC(),
		Some:  rapid.SliceOf(rapid.SampledFrom([]string{"", "nokia", "xiaomi"})).Draw(t, "some"),
		Bytes: rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"),
		Own:   rapid.SliceOf(rapid.Int64()).Draw(t, "own"),
	}
	if value.Yes {
		value.Part, value.Parts = &part{"one"}, []*part{nil, {"two"}}
		value.Roles = map[string][]string{"supplier": {"nokia"}, "customer": nil}
	}
	return value
}

func TestDecodeReturnsWhatWasAppended(t *testing.T) {
	format, err := NewFormat("1", reflect.TypeFor[allKinds]())
	require.NoError(t, err)
	rapid.Check(t, func(t *rapid.T) {
		value := drawAllKinds(t)
		file := format.AppendEnd(format.AppendSection(format.AppendHeader(nil), 1, value))
		sections, err := format.Sections(file)
		require.NoError(t, err)
		require.Len(t, sections, 1)
		decoded, err := format.Decode(sections[0])
		require.NoError(t, err)
		require.Equal(t, value, decoded)

		body := sections[0].body
		length := rapid.IntRange(0, len(body)-1).Draw(t, "length")
		_, err = format.codec[1].decode(format.types[1], body[:length])
		require.ErrorIs(t, err, ErrDamaged, "a body that was cut off")
	})
}

func TestSectionsRecognisesDamage(t *testing.T) {
	format, err := NewFormat("1", reflect.TypeFor[part]())
	require.NoError(t, err)
	file := format.AppendEnd(format.AppendSection(format.AppendHeader(nil), 1, part{"one"}))
	read := func(file []byte) error {
		sections, err := format.Sections(file)
		for _, section := range sections {
			_, decodeErr := format.Decode(section)
			err = decodeErr
		}
		return err
	}
	require.NoError(t, read(file))
	for i := range file {
		require.Error(t, read(file[:i]), "cut after %d bytes", i)
		flipped := slices.Clone(file)
		flipped[i] ^= 0x10
		require.Error(t, read(flipped), "byte %d changed", i)
	}
	require.ErrorIs(t, read(append(slices.Clone(file), 0)), ErrDamaged, "bytes after the end")
	newer, err := NewFormat("2", reflect.TypeFor[part]())
	require.NoError(t, err)
	_, err = newer.Sections(file)
	require.ErrorIs(t, err, ErrOtherFormat)
}

func TestNewFormatRefusesTypes(t *testing.T) {
	for name, typ := range map[string]reflect.Type{
		"channel":          reflect.TypeFor[chan int](),
		"functions":        reflect.TypeFor[[]func()](),
		"unexported field": reflect.TypeFor[struct{ hidden int }](),
		"float in a map":   reflect.TypeFor[map[string]float64](),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewFormat("1", typ)
			require.ErrorContains(t, err, "snapshots cannot hold")
		})
	}
}

func TestDescriptionsOfTypesDiffer(t *testing.T) {
	type a struct{ X []int }
	type b struct{ X []int64 }
	type c struct{ Y []int }
	seen := []string{describe(reflect.TypeFor[time.Time]())}
	for _, typ := range []reflect.Type{
		reflect.TypeFor[a](), reflect.TypeFor[b](), reflect.TypeFor[c](), reflect.TypeFor[*a](), reflect.TypeFor[[2]int](),
		reflect.TypeFor[map[string]int](),
	} {
		require.NotContains(t, seen, describe(typ))
		seen = append(seen, describe(typ))
	}
}

func FuzzDecode(f *testing.F) {
	format, err := NewFormat("1", reflect.TypeFor[allKinds]())
	require.NoError(f, err)
	f.Add(format.codec[1].encode(allKinds{Text: "M", Some: []string{"a", "a"}, Own: sums{1, 5}}))
	f.Fuzz(func(t *testing.T, body []byte) {
		value, err := format.codec[1].decode(format.types[1], body)
		if err != nil {
			require.ErrorIs(t, err, ErrDamaged)
			return
		}
		require.IsType(t, allKinds{}, value)
	})
}
