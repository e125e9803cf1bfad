package eventlogtest

import "os"

// Rounds returns the number of rounds of a test that repeats the same steps, such as kills or failovers: few by
// default, and all if the environment variable TANDEM_TORTURE is set.
func Rounds(few, all int) int {
	if os.Getenv("TANDEM_TORTURE") != "" {
		return all
	}
	return few
}
