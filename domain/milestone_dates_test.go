package domain

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWorkingDaysSince(t *testing.T) {
	const thursday = Date(2018_03_08)
	for days, working := range []int{0, 1, 1, 1, 2, 3, 4, 5, 6, 6, 6, 7} {
		require.Equal(t, working, thursday.AddDays(days).WorkingDaysSince(thursday), days)
	}
	for from := range 7 { // against a loop over the days
		day, working := thursday.AddDays(from), 0
		for n := range 30 {
			require.Equal(t, working, day.AddDays(n).WorkingDaysSince(day))
			if weekday := day.AddDays(n + 1).Time().Weekday(); weekday != time.Saturday && weekday != time.Sunday {
				working++
			}
		}
	}
	require.Positive(t, Date(2018_03_08).WorkingDaysSince(1_01_01))
}

// Events that were stored before they carried dates fold to the earliest date that any time zone had.
func TestDatesOfOldEvents(t *testing.T) {
	world := NewWorld()
	header := Header{Stream: Stream{Agreement: "a", Project: "p"}, Subject: "m", Audience: Shared}
	apply := func(at string, payload Payload) {
		recorded, err := time.Parse(time.RFC3339, at)
		require.NoError(t, err)
		header.RecordedAt = recorded
		world.Apply(header, payload)
	}
	apply("2018-03-01T00:30:00+08:00", MilestoneStarted{}) // 28 February in Helsinki
	apply("2018-03-05T12:00:00Z", MilestoneAgreed{})
	apply("2018-03-06T12:00:00Z", MilestoneAgreed{})
	apply("2018-03-07T11:59:59Z", DeliveryWithdrawn{})
	milestone := world.Milestone(header.milestoneRef())
	require.Equal(t, []Date{2018_02_28, 2018_03_05, 2018_03_06}, []Date{milestone.StartedOn, milestone.AgreedOn, milestone.RoundEndedOn})
}

// The date of the owner's zone can go back when the owner moves or changes: then today is always valid, and no
// acceptance is dated before the delivery.
func TestClaimedDatesWhenTheDateGoesBack(t *testing.T) {
	milestone := milestoneContext{Milestone: &Milestone{StartedOn: 2018_03_02, DeliveredOn: 2018_03_02}}
	dc := DecisionContext{Today: 2018_03_01}
	require.Empty(t, milestone.claimedDate(2018_03_01, "", dc))
	require.Len(t, milestone.claimedDate(2018_02_28, "", dc), 1)
	require.Equal(t, Date(2018_03_02), milestone.today(dc))
}
