package projections

import (
	"time"

	"tandem/domain"
	"tandem/projections/sentences"
)

// View returns the resources that one viewer can see, at one time. An invisible resource is absent like one that does
// not exist. A View is valid only during the call that it was made for.
type View struct {
	visibility
	calendar
	links
	book *sentences.Book
}

// Now returns the time of the view.
func (v *View) Now() time.Time { return v.now }

// Version returns the version of lists: the number of all events that the viewer can see.
func (v *View) Version() uint64 {
	var count uint64
	for _, root := range v.positions() {
		count += root.Count
	}
	return count
}

// AgreementVersion returns the version of lists within an agreement: the number of its events that the viewer
// can see.
func (v *View) AgreementVersion(agreement domain.AgreementID) uint64 {
	count, _ := v.countIn(string(agreement))
	return count
}

// nilIfZero returns nil, which is null in JSON, for a zero value.
func nilIfZero[T comparable](value T) *T {
	var zero T
	if value == zero {
		return nil
	}
	return &value
}

// emptyIfNil returns an empty list, which is [] in JSON, for nil.
func emptyIfNil[T any](values []T) []T {
	if values == nil {
		return []T{}
	}
	return values
}
