package domain

import (
	"slices"
	"strings"
)

// publicTypes returns the types of all events, as feeds show them.
func publicTypes() map[string]bool {
	types := make(map[string]bool, len(payloads))
	for stored := range payloads {
		types[PublicType(stored)] = true
	}
	return types
}

// knownPattern reports whether a pattern of event types can match anything.
func knownPattern(pattern string) bool {
	types := publicTypes()
	area, all := strings.CutSuffix(pattern, ".*")
	if pattern == "*" || !all {
		return pattern == "*" || types[pattern]
	}
	for t := range types {
		if of, _, _ := strings.Cut(t, "."); of == area {
			return true
		}
	}
	return false
}

// Wants reports whether the webhook asks for events of a public type under an agreement; whether the
// partner may see them is another question.
func (s WebhookSettings) Wants(public string, a AgreementID) bool {
	if len(s.Agreements) > 0 && !slices.Contains(s.Agreements, a) {
		return false
	}
	return slices.ContainsFunc(s.Events, func(pattern string) bool {
		area, all := strings.CutSuffix(pattern, "*")
		return pattern == public || (all && strings.HasPrefix(public, area))
	})
}
