package eventlogtest

import (
	"flag"
	"os"
	"strconv"
)

// AllRounds reports whether tests run all their rounds: the environment variable TANDEM_TORTURE is set, as the task
// torture does. Only then do tests assert durations, which depend on the machine.
func AllRounds() bool { return os.Getenv("TANDEM_TORTURE") != "" }

// Rounds returns the number of rounds of a test that repeats the same steps, such as kills or failovers: few by
// default, and all with AllRounds.
func Rounds(few, all int) int {
	if AllRounds() {
		return all
	}
	return few
}

// LimitRapid sets the number of random cases per property of rapid to few, unless AllRounds or RAPID_CHECKS is set.
// Call it from TestMain; the flag -rapid.checks takes precedence.
func LimitRapid(few int) {
	if _, set := os.LookupEnv("RAPID_CHECKS"); set || AllRounds() {
		return
	}
	if err := flag.Set("rapid.checks", strconv.Itoa(few)); err != nil {
		panic(err)
	}
}
