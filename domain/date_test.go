package domain

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDates(t *testing.T) {
	date := NewDate(2018, time.February, 30)
	require.Equal(t, Date(2018_03_02), date)
	require.Equal(t, "2018-03-02", date.String())
	require.Equal(t, Date(2018_02_28), date.AddDays(-2))
	require.Equal(t, 365, Date(2019_03_30).DaysSince(2018_03_30))
	require.Equal(t, -1, Date(2018_02_28).DaysSince(2018_03_01))
	require.Empty(t, Date(0).String())
	require.Equal(t, "0001-01-01", Date(1_01_01).String())

	helsinki := time.FixedZone("Helsinki", 2*60*60)
	late := time.Date(2018, 3, 30, 23, 30, 0, 0, time.UTC)
	require.Equal(t, Date(2018_03_30), DateOf(late))
	require.Equal(t, Date(2018_03_31), DateOf(late.In(helsinki)), "a date is that of the time's own place")
}

func TestDatesInJSON(t *testing.T) {
	type pair struct {
		On  Date  `json:"on"`
		Not *Date `json:"not"`
	}
	data, err := json.Marshal(pair{On: 2018_03_30})
	require.NoError(t, err)
	require.JSONEq(t, `{"on":"2018-03-30","not":null}`, string(data))
	var back pair
	require.NoError(t, json.Unmarshal([]byte(`{"on":null,"not":"2018-03-30"}`), &back))
	require.Equal(t, pair{Not: new(Date(2018_03_30))}, back)
	for _, bad := range []string{`""`, `"2018-02-29"`, `"2018-3-1"`, `20180330`, `"2018-03-30T00:00:00Z"`, `{}`} {
		t.Run("not "+bad, func(t *testing.T) { require.Error(t, json.Unmarshal([]byte(bad), new(Date))) })
	}
	var date Date
	require.NoError(t, date.UnmarshalText([]byte("2018-03-30")))
	require.Error(t, date.UnmarshalText(nil))
}

func FuzzParseDate(f *testing.F) {
	for _, seed := range []string{"2018-03-30", "0000-00-00", "0001-01-01", "9999-12-31", "2018-02-29", "2016-02-29", "+018-03-30", "２018-03-30"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		date, err := ParseDate(text)
		want, wantErr := time.Parse(time.DateOnly, text)
		require.Equal(t, wantErr == nil && want.Year() > 0, err == nil, "as time.Parse reads it, from year 1 on")
		if err != nil {
			require.Zero(t, date)
			return
		}
		require.Equal(t, text, date.String())
		require.True(t, date.Time().Equal(want))
		require.Equal(t, date, date.AddDays(1).AddDays(-1))
	})
}
