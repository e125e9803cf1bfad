package domain

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkDecodeEvent reads the filled example of every stored event type.
func BenchmarkDecodeEvent(b *testing.B) {
	for _, stored := range EventTypes() {
		data, err := os.ReadFile("testdata/events/" + stored + ".json")
		require.NoError(b, err)
		data = bytes.TrimSpace(data)
		b.Run(stored, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := DecodeEvent(stored, data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
