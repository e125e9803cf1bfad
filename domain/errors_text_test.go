package domain

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRefusalTextSurvivesStorage: a refusal is stored as JSON, and its text keeps values, terms and field errors apart.
func TestRefusalTextSurvivesStorage(t *testing.T) {
	refusal := conflict("wrong_state", "Milestone %s is %s; this is possible only while it is %s (%s).",
		MilestoneID("m1"), InProgress, terms{Term(Planned), Term(Delivered)}, NewFieldError("due_on", "%s is in the past", NewDate(2018, 3, 30)))
	require.Equal(t, "Milestone m1 is in_progress; this is possible only while it is planned or delivered (due_on: 2018-03-30 is in the past).", refusal.Detail)

	stored, err := json.Marshal(refusal)
	require.NoError(t, err)
	var read Error
	require.NoError(t, json.Unmarshal(stored, &read))
	require.Equal(t, *refusal, read)
	require.Equal(t, []Argument{
		{Value: "m1"},
		{Terms: []Term{"in_progress"}},
		{Terms: []Term{"planned", "delivered"}},
		{Field: &FieldError{"due_on", "2018-03-30 is in the past", Text{"%s is in the past", []Argument{{Value: "2018-03-30"}}}}},
	}, read.Text.Args)
}
