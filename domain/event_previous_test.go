package domain

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every event that carries replaced values names them in Previous, with the bytes of the stored event.
func TestPreviousMatchesTheStoredEvent(t *testing.T) {
	for _, stored := range EventTypes() {
		for file, data := range examples(t, stored) {
			t.Run(file, func(t *testing.T) {
				payload, err := DecodeEvent(stored, data)
				require.NoError(t, err)
				previous := map[string]string{}
				if replacement, ok := payload.(Replacement); ok {
					for _, replaced := range replacement.Previous() {
						text, err := json.Marshal(replaced.Value)
						require.NoError(t, err)
						require.NotContains(t, previous, replaced.Field)
						previous[replaced.Field] = string(text)
					}
				}
				require.Equal(t, storedPrevious(t, data, payload), previous)
			})
		}
	}
}

// storedPrevious finds the replaced values in the JSON of an event.
func storedPrevious(t *testing.T, data []byte, payload Payload) map[string]string {
	t.Helper()
	var event struct {
		From         json.RawMessage `json:"from"`
		To           json.RawMessage `json:"to"`
		BaselineFrom json.RawMessage `json:"baseline_from"`
		DeliveredOn  json.RawMessage `json:"delivered_on"`
	}
	require.NoError(t, json.Unmarshal(data, &event))
	previous := map[string]string{}
	var from, to map[string]json.RawMessage
	switch {
	case len(event.From) == 0:
	case json.Unmarshal(event.From, &from) == nil && json.Unmarshal(event.To, &to) == nil:
		for field, value := range from {
			if !bytes.Equal(value, to[field]) {
				previous[field] = string(value)
			}
		}
		for field := range to {
			if _, had := from[field]; !had {
				previous[field] = "null"
			}
		}
	default:
		previous[scalarName(payload)] = string(event.From)
	}
	if len(event.BaselineFrom) > 0 {
		previous["baseline_on"] = string(event.BaselineFrom)
	}
	dispute, _ := payload.(MilestoneDisputed)
	switch payload.(type) {
	case MilestoneRejected, DeliveryWithdrawn, MilestoneDisputed:
		if dispute.Condition == 0 {
			previous["delivered_on"] = string(event.DeliveredOn)
		}
	}
	return previous
}

// scalarName returns the field whose previous value an event's "from" is.
func scalarName(payload Payload) string {
	switch payload.(type) {
	case MilestoneCancelled, MilestoneWaived, MilestoneDeclined:
		return "state"
	case ForecastMoved:
		return "on"
	case OutcomeNamed:
		return "outcome"
	case CriterionChecked:
		return "result"
	case ResponsibleNamed:
		return "member"
	case ContactPersonsNamed:
		return "members"
	case StageChanged:
		return "stage"
	case DecideByMoved:
		return "decide_by"
	case LeadChanged:
		return "lead"
	}
	return "from"
}

func TestChangedFields(t *testing.T) {
	for name, row := range map[string]struct {
		from, to Plan
		want     []PreviousValue
	}{
		"nothing":        {Plan{Title: "A"}, Plan{Title: "A"}, nil},
		"a value":        {Plan{Title: "A"}, Plan{Title: "B"}, []PreviousValue{{"title", "A"}}},
		"a list":         {Plan{Criteria: []string{"72 h"}}, Plan{}, []PreviousValue{{"criteria", []string{"72 h"}}}},
		"a new value":    {Plan{}, Plan{Clause: "4.2"}, []PreviousValue{{"clause", nil}}},
		"an empty list":  {Plan{Criteria: []string{}}, Plan{}, nil},
		"a date removed": {Plan{DueOn: 2018_03_30}, Plan{}, []PreviousValue{{"due_on", Date(2018_03_30)}}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, row.want, changedFields(row.from, row.to))
		})
	}
}
