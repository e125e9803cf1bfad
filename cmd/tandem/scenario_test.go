package main

import (
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestScenarioFill(t *testing.T) {
	steps, err := parseScenario([]byte(`
- {at: "[workday-2]T07:00:00Z", as: nokia, do: POST /v1/x/<name>, body: {on: 2018-03-30, due: "[workday+1]", n: 3, yes: true, list: [a, <name>]}}
- {at: 2017-07-05T06:00:00Z, as: operator, do: POST /v1/y}
`))
	require.NoError(t, err)
	today := time.Date(2026, 11, 21, 13, 0, 0, 0, time.UTC)
	resolved, err := steps[0].resolve(today, map[string]string{"name": "m-1"})
	require.NoError(t, err)
	require.Equal(t, time.Date(2026, 11, 18, 7, 0, 0, 0, time.UTC), resolved.at)
	require.Equal(t, "POST", resolved.method)
	require.Equal(t, "/v1/x/m-1", resolved.path)
	require.JSONEq(t, `{"on":"2018-03-30","due":"2026-11-23","n":3,"yes":true,"list":["a","m-1"]}`, string(resolved.body))
	resolved, err = steps[1].resolve(today, nil)
	require.NoError(t, err)
	require.Nil(t, resolved.body)
}

// TestExampleRunsForwards: on whatever day the example is loaded, every step follows the steps that it needs, none is
// in the future, and no action or date falls on a weekend.
func TestExampleRunsForwards(t *testing.T) {
	steps, err := parseScenario(nokiaXiaomiScenario)
	require.NoError(t, err)
	for day := range 7 {
		today := time.Date(2026, 11, 23+day, 1, 0, 0, 0, time.UTC)
		t.Run(today.Weekday().String(), func(t *testing.T) {
			order, err := chronologicalOrder(steps, today)
			require.NoError(t, err)
			require.Len(t, order, len(steps))
			saved := map[string]string{"operator": "known from the start", "server": "http://127.0.0.1"}
			var last time.Time
			for _, i := range order {
				require.Containsf(t, saved, steps[i].As, "step %d uses a token that is issued later", i+1)
				resolved, err := steps[i].resolve(today, saved)
				require.NoErrorf(t, err, "step %d", i+1)
				require.Truef(t, resolved.at.Before(today), "step %d is in the future", i+1)
				require.NotContainsf(t, resolved.path, "<", "step %d uses a name that is saved later", i+1)
				require.False(t, resolved.at.Before(last))
				last = resolved.at
				requireWorkdays(t, resolved)
				for name := range steps[i].Save {
					saved[name] = name
				}
			}
		})
	}
}

var anyDate = regexp.MustCompile(`\d{4}-\d{2}-\d{2}`)

func requireWorkdays(t *testing.T, request scenarioRequest) {
	t.Helper()
	require.True(t, isWorkday(request.at), "%s %s at %s", request.method, request.path, request.at)
	for _, text := range anyDate.FindAllString(string(request.body), -1) {
		date, err := time.Parse(time.DateOnly, text)
		require.NoError(t, err)
		require.True(t, isWorkday(date), "%s %s: %s", request.method, request.path, text)
	}
}

func TestAddWorkdays(t *testing.T) {
	friday, saturday := time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC), time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	for _, row := range []struct {
		from time.Time
		days int
		want string
	}{
		{friday, 0, "2026-11-27"},
		{saturday, 0, "2026-11-27"},
		{friday, 1, "2026-11-30"},
		{saturday, 1, "2026-11-30"},
		{friday, -1, "2026-11-26"},
		{saturday, -5, "2026-11-20"},
		{friday, 10, "2026-12-11"},
	} {
		require.Equal(t, row.want, addWorkdays(row.from, row.days).Format(time.DateOnly), "%s %+d", row.from.Weekday(), row.days)
	}
}
