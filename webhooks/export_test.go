package webhooks

import "tandem/domain"

// Worded reports whether the state of a stored event type has a manner.
func Worded(stored string) bool {
	_, ok := manners[domain.PublicType(stored)]
	return ok
}
