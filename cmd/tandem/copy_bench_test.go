package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog/redis/redistest"
)

// BenchmarkLogCopy copies 50,000 commits of about 700 bytes to a server that syncs its file for every batch, and
// back, with the verification.
func BenchmarkLogCopy(b *testing.B) {
	const commits = 62 * 807
	dir, server := sourceDir(b, commits), redistest.Start(b)
	b.Setenv("TANDEM_KEY", strings.Repeat("5c", keySize))
	spent := map[string]time.Duration{}
	for b.Loop() {
		require.NoError(b, server.Client().FlushAll(b.Context()).Err())
		back := b.TempDir()
		for _, way := range [][3]string{{"to-redis", "sqlite:" + dir, server.URL()}, {"to-sqlite", server.URL(), "sqlite:" + back}} {
			begun := time.Now()
			_, err := copyLog(b.Context(), way[1], way[2])
			require.NoError(b, err)
			spent[way[0]] += time.Since(begun)
		}
	}
	for way, took := range spent {
		b.ReportMetric(commits*float64(b.N)/took.Seconds(), way+"-commits/s")
	}
	b.ReportMetric(0, "ns/op")
}
