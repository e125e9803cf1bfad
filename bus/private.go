package bus

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"tandem/eventlog"
)

// Request.Private may contain personal data, which a person can require to be erased. It is therefore
// stored only in the key–value space: a deletion erases the stored bytes, and dead letters contain no values.

// withErasure makes the deletions among the puts of a request erase the stored bytes too.
func withErasure(puts []eventlog.KV) []eventlog.KV {
	for i := range puts {
		puts[i].Erase = puts[i].Value == nil
	}
	return puts
}

// redactPrivate removes the private values from a message's payload. Deletions remain, so that a
// replay deletes their keys. A payload that is not a JSON object is returned unchanged.
func redactPrivate(payload []byte) []byte {
	var fields map[string]jsontext.Value
	if json.Unmarshal(payload, &fields) != nil || fields["private"] == nil {
		return payload
	}
	var all, deletions []privateKV
	if json.Unmarshal(fields["private"], &all) == nil {
		for _, entry := range all {
			if entry.Value == nil {
				deletions = append(deletions, entry)
			}
		}
	}
	delete(fields, "private")
	if len(deletions) > 0 {
		kept, err := json.Marshal(deletions)
		if err != nil {
			return nil // strings always marshal
		}
		fields["private"] = kept
	}
	rest, err := json.Marshal(fields, json.Deterministic(true))
	if err != nil {
		return nil // decoded JSON always marshals
	}
	return rest
}
