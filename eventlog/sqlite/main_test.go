package sqlite

import (
	"os"
	"testing"
)

// roleVariable names the part that this test program plays when a test has started it again.
const roleVariable = "TANDEM_SQLITE_TEST_ROLE"

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		play(role, os.Args[1])
		return
	}
	os.Exit(m.Run())
}
