package wire_test

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/eventlog/wire"
)

func TestReaderReadsWhatIsAppended(t *testing.T) {
	b := binary.AppendUvarint(nil, 300)
	b = binary.AppendVarint(b, -5)
	b = append(b, 7)
	b = wire.AppendBytes(b, "text")
	b = wire.AppendNullable(b, nil)
	b = wire.AppendNullable(b, []byte{})
	b = wire.AppendNullable(b, []byte("x"))
	b = append(b, 2, 'a', 'b')
	read := func(reader *wire.Reader) []any {
		return []any{
			reader.Uvarint(), reader.Varint(), reader.Byte(), reader.Text(),
			reader.Nullable(), reader.Nullable(), reader.Nullable(), reader.Count(1), reader.Take(2),
		}
	}
	whole := wire.NewReader(b)
	require.Equal(t, []any{
		uint64(300), int64(-5), byte(7), "text", []byte(nil), []byte{}, []byte("x"), 2, []byte("ab"),
	}, read(whole))
	require.NoError(t, whole.Close())
	for length := range b {
		cut := wire.NewReader(b[:length])
		read(cut)
		require.ErrorIs(t, cut.Err(), wire.ErrMalformed, "%d bytes", length)
	}
	more := wire.NewReader(append(b, 0))
	read(more)
	require.NoError(t, more.Err())
	require.ErrorIs(t, more.Close(), wire.ErrMalformed)
}

func FuzzReader(f *testing.F) {
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Add([]byte{3, 'a', 'b'})
	f.Fuzz(func(t *testing.T, b []byte) {
		reader := wire.NewReader(b)
		for reader.Err() == nil && reader.Len() > 0 {
			before := reader.Len()
			taken := len(reader.Bytes())
			require.LessOrEqual(t, taken, before)
			require.Less(t, reader.Len(), before, "every read consumes a byte or fails")
		}
	})
}
