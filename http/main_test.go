package http

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"tandem/eventlog/eventlogtest"
)

func TestMain(m *testing.M) {
	eventlogtest.LimitRapid(20)
	goleak.VerifyTestMain(m, goleak.Cleanup(func(status int) {
		_ = os.RemoveAll(original.dir)
		os.Exit(status)
	}))
}
