package projections_test

import (
	"testing"

	"go.uber.org/goleak"

	"tandem/eventlog/eventlogtest"
)

func TestMain(m *testing.M) {
	eventlogtest.LimitRapid(25)
	goleak.VerifyTestMain(m)
}
