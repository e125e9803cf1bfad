package webhooks

import "tandem/domain"

// HasStateStyle reports whether the state of a stored event type has a manner.
func HasStateStyle(stored string) bool {
	_, ok := eventStyles[domain.PublicType(stored)]
	return ok
}
