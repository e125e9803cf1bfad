package projections

import (
	"bytes"
	"encoding/json"
)

// scalarFields names what an event's from was the value of, where it is no object.
var scalarFields = map[string]string{
	"milestone.cancelled":      "state",
	"milestone.waived":         "state",
	"milestone.forecast_moved": "on",
	"milestone.outcome_named":  "outcome",
	"project.stage_changed":    "stage",
	"project.decide_by_moved":  "decide_by",
}

// endsDelivery are the events that end a delivery and say when it was.
var endsDelivery = map[string]bool{
	"milestone.rejected": true, "milestone.delivery_withdrawn": true, "milestone.disputed": true,
}

// previous returns the previous values that an event carries, of those fields that it changed; empty for none.
func previous(public string, data []byte) map[string]any {
	old := map[string]any{}
	var event struct {
		From         json.RawMessage `json:"from"`
		To           json.RawMessage `json:"to"`
		BaselineFrom json.RawMessage `json:"baseline_from"`
		DeliveredOn  json.RawMessage `json:"delivered_on"`
	}
	if json.Unmarshal(data, &event) != nil {
		return old
	}
	var from, to map[string]json.RawMessage
	switch {
	case len(event.From) == 0:
	case json.Unmarshal(event.From, &from) == nil && json.Unmarshal(event.To, &to) == nil:
		for field, value := range from {
			if !bytes.Equal(value, to[field]) {
				old[field] = value
			}
		}
		for field := range to {
			if _, had := from[field]; !had {
				old[field] = nil
			}
		}
	default:
		name, known := scalarFields[public]
		if !known {
			name = "from"
		}
		old[name] = event.From
	}
	if len(event.BaselineFrom) > 0 {
		old["baseline_on"] = event.BaselineFrom
	}
	if endsDelivery[public] && len(event.DeliveredOn) > 0 {
		old["delivered_on"] = event.DeliveredOn
	}
	return old
}
