// Package torture sets how much work the long tests do: kills, failovers and random histories.
package torture

import (
	"flag"
	"os"
	"strconv"
)

// Variable is the environment variable that makes every test run all its rounds. The task torture sets it.
const Variable = "TANDEM_TORTURE"

// On reports whether the tests run all their rounds.
func On() bool { return os.Getenv(Variable) != "" }

// Rounds returns all when the tests run all their rounds, and usual otherwise.
func Rounds(usual, all int) int {
	if On() {
		return all
	}
	return usual
}

// Checks makes rapid draw usual random cases per property instead of its 100, unless the tests run all their rounds or
// RAPID_CHECKS says how many. Call it from TestMain; the flag -rapid.checks still takes precedence.
func Checks(usual int) {
	if _, set := os.LookupEnv("RAPID_CHECKS"); set || On() {
		return
	}
	if err := flag.Set("rapid.checks", strconv.Itoa(usual)); err != nil {
		panic(err)
	}
}
