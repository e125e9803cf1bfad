package sqlite

import (
	"fmt"
	"os"
	"testing"
)

// roleVariable names the role of this test program when a test starts it again.
const roleVariable = "TANDEM_SQLITE_TEST_ROLE"

// role is a function of the program on the log in a directory.
type role func(dir string) error

// killedRole appends until the process is killed.
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
