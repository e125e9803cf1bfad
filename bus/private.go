package bus

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"tandem/eventlog"
)

// What a request brings as Private may be about a person, who may ask to be forgotten. So it is kept in
// one place only, the key–value space: a deletion erases, and no dead letter holds a value.

// withErasure returns the puts of a request; deletions erase.
func withErasure(puts []eventlog.KV) []eventlog.KV {
	for i := range puts {
		puts[i].Erase = puts[i].Value == nil
	}
	return puts
}

// redactPrivate returns a message's payload without the values that were to be kept outside the
// chain. The keys to be deleted stay, so that a replay deletes them. What is no JSON is returned as it is:
// nobody can tell what is in it.
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
		return nil // what was read can be written
	}
	return rest
}
