package http

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"tandem/internal/torture"
)

func TestMain(m *testing.M) {
	torture.Checks(20)
	goleak.VerifyTestMain(m, goleak.Cleanup(func(status int) {
		_ = os.RemoveAll(original.dir)
		os.Exit(status)
	}))
}
