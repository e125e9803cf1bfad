package projections_test

import (
	"testing"

	"go.uber.org/goleak"

	"tandem/internal/torture"
)

func TestMain(m *testing.M) {
	torture.Checks(25)
	goleak.VerifyTestMain(m)
}
