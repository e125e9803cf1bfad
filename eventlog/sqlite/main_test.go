package sqlite

import (
	"fmt"
	"os"
	"testing"
)

// roleVariable names the part that this test program plays when a test has started it again.
const roleVariable = "TANDEM_SQLITE_TEST_ROLE"

// role is what the program does with the log in a directory.
type role func(dir string) error

// killedRole appends until somebody kills it.
const killedRole = "write until killed"

func TestMain(m *testing.M) {
	switch name := os.Getenv(roleVariable); name {
	case "":
		os.Exit(m.Run())
	case killedRole:
		play(func(dir string) error { return writeUntil(dir, nil) })
	default:
		play(platformRoles()[name])
	}
}

func play(r role) {
	if err := r(os.Args[1]); err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
	fmt.Println("done")
}
