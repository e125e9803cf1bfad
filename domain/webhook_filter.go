package domain

import (
	"slices"
	"strings"
)

// publicTypes returns all event types, without versions.
func publicTypes() map[string]bool {
	types := make(map[string]bool, len(payloads))
	for stored := range payloads {
		types[PublicType(stored)] = true
	}
	return types
}

// matchesAnyType reports whether a pattern matches at least one event type.
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

// Subscribes reports whether the settings select events of a public type under an agreement. It does not check
// visibility.
func (s WebhookSettings) Subscribes(public string, agreement AgreementID) bool {
	if len(s.Agreements) > 0 && !slices.Contains(s.Agreements, agreement) {
		return false
	}
	return slices.ContainsFunc(s.Events, func(pattern string) bool {
		area, all := strings.CutSuffix(pattern, "*")
		return pattern == public || (all && strings.HasPrefix(public, area))
	})
}
