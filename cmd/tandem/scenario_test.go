package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestScenarioFill(t *testing.T) {
	steps, err := parseScenario([]byte(`
- {at: "[today-2]T07:00:00Z", as: nokia, do: POST /v1/x/<name>, body: {on: 2018-03-30, due: "[today+1]", n: 3, yes: true, list: [a, <name>]}}
- {at: 2017-07-05T06:00:00Z, as: operator, do: POST /v1/y}
`))
	require.NoError(t, err)
	today := time.Date(2026, 11, 21, 13, 0, 0, 0, time.UTC)
	resolved, err := steps[0].resolve(today, map[string]string{"name": "m-1"})
	require.NoError(t, err)
	require.Equal(t, time.Date(2026, 11, 19, 7, 0, 0, 0, time.UTC), resolved.at)
	require.Equal(t, "POST", resolved.method)
	require.Equal(t, "/v1/x/m-1", resolved.path)
	require.JSONEq(t, `{"on":"2018-03-30","due":"2026-11-22","n":3,"yes":true,"list":["a","m-1"]}`, string(resolved.body))
	resolved, err = steps[1].resolve(today, nil)
	require.NoError(t, err)
	require.Nil(t, resolved.body)
}

func TestExampleIsToldInOrder(t *testing.T) {
	steps, err := parseScenario(nokiaXiaomiScenario)
	require.NoError(t, err)
	today := time.Now().UTC()
	order, err := chronologicalOrder(steps, today)
	require.NoError(t, err)
	require.Len(t, order, len(steps))
	saved := map[string]string{"operator": "known from the start"}
	var last time.Time
	for _, i := range order {
		require.Containsf(t, saved, steps[i].As, "step %d uses a token that is issued later", i+1)
		resolved, err := steps[i].resolve(today, saved)
		require.NoErrorf(t, err, "step %d", i+1)
		require.Truef(t, resolved.at.Before(today), "step %d is in the future", i+1)
		require.NotContainsf(t, resolved.path, "<", "step %d uses a name that is saved later", i+1)
		require.False(t, resolved.at.Before(last))
		last = resolved.at
		for name := range steps[i].Save {
			saved[name] = name
		}
	}
}
