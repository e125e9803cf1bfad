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

// matchesAnyType reports whether a pattern of event types can match anything.
func matchesAnyType(pattern string) bool {
	types := publicTypes()
	area, all := strings.CutSuffix(pattern, ".*")
	if pattern == "*" || !all {
		return pattern == "*" || types[pattern]
	}
	for eventType := range types {
		if of, _, _ := strings.Cut(eventType, "."); of == area {
			return true
		}
	}
	return false
}

// Subscribes reports whether the webhook asks for events of a public type under an agreement; whether the
// partner may see them is another question.
func (s WebhookSettings) Subscribes(public string, agreement AgreementID) bool {
	if len(s.Agreements) > 0 && !slices.Contains(s.Agreements, agreement) {
		return false
	}
	return slices.ContainsFunc(s.Events, func(pattern string) bool {
		area, all := strings.CutSuffix(pattern, "*")
		return pattern == public || (all && strings.HasPrefix(public, area))
	})
}
