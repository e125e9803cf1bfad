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
	r, err := steps[0].fill(today, map[string]string{"name": "m-1"})
	require.NoError(t, err)
	require.Equal(t, time.Date(2026, 11, 19, 7, 0, 0, 0, time.UTC), r.at)
	require.Equal(t, "POST", r.method)
	require.Equal(t, "/v1/x/m-1", r.path)
	require.JSONEq(t, `{"on":"2018-03-30","due":"2026-11-22","n":3,"yes":true,"list":["a","m-1"]}`, string(r.body))
	r, err = steps[1].fill(today, nil)
	require.NoError(t, err)
	require.Nil(t, r.body)
}

func TestExampleIsToldInOrder(t *testing.T) {
	steps, err := parseScenario(nokiaXiaomi)
	require.NoError(t, err)
	today := time.Now().UTC()
	order, err := chronological(steps, today)
	require.NoError(t, err)
	require.Len(t, order, len(steps))
	saved := map[string]string{"operator": "known from the start"}
	var last time.Time
	for _, i := range order {
		require.Containsf(t, saved, steps[i].As, "step %d uses a token that is issued later", i+1)
		r, err := steps[i].fill(today, saved)
		require.NoErrorf(t, err, "step %d", i+1)
		require.Truef(t, r.at.Before(today), "step %d is in the future", i+1)
		require.NotContainsf(t, r.path, "<", "step %d uses a name that is saved later", i+1)
		require.False(t, r.at.Before(last))
		last = r.at
		for name := range steps[i].Save {
			saved[name] = name
		}
	}
}
