package projections

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/domain"
	"tandem/projections/snapshot"
)

// rawFile returns a snapshot file with one section whose body is given.
func rawFile(format *snapshot.Format, kind snapshot.Kind, body []byte) []byte {
	sum := sha256.Sum256(body)
	file := binary.AppendUvarint(append(format.AppendHeader(nil), byte(kind)), uint64(len(body)))
	return format.AppendEnd(slices.Concat(file, sum[:], body))
}

func FuzzSnapshotOfAgreements(f *testing.F) {
	format, err := newSnapshotFormat()
	require.NoError(f, err)
	saved := savedAgreement{
		ID: "a", Entity: &domain.Agreement{ID: "a"},
		Root: savedRoot{Refs: indexEntries{{At: 1, Seq: 2}, {At: 5, Seq: 3, Index: 1, Audience: 1}}},
	}
	section := format.AppendSection(nil, agreementSection, saved)
	f.Add(section[1+2+sha256.Size:])
	f.Fuzz(func(t *testing.T, body []byte) {
		sections, err := format.Sections(rawFile(format, agreementSection, body))
		require.NoError(t, err)
		value, err := format.Decode(sections[0])
		if err != nil {
			require.ErrorIs(t, err, snapshot.ErrDamaged)
			return
		}
		again, err := format.Sections(format.AppendEnd(format.AppendSection(format.AppendHeader(nil), agreementSection, value)))
		require.NoError(t, err)
		decoded, err := format.Decode(again[0])
		require.NoError(t, err)
		require.Equal(t, value, decoded)
	})
}
