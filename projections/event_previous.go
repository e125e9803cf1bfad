package projections

import (
	"encoding/json"
	"fmt"

	"tandem/domain"
)

// previous returns the values that an event replaced, by field and as the stored event has them; nil for a field that
// had none.
func previous(payload domain.Payload) (map[string]any, error) {
	values := map[string]any{}
	replacement, ok := payload.(domain.Replacement)
	if !ok {
		return values, nil
	}
	for _, replaced := range replacement.Previous() {
		if replaced.Value == nil {
			values[replaced.Field] = nil
			continue
		}
		text, err := json.Marshal(replaced.Value)
		if err != nil {
			return nil, fmt.Errorf("write the previous %s: %w", replaced.Field, err)
		}
		values[replaced.Field] = json.RawMessage(text)
	}
	return values, nil
}
