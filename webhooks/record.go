package webhooks

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"tandem/domain"
	"tandem/projections"
)

// record is all that a lane must not forget. It is stored as one entry, so that it is whole.
type record struct {
	Since    time.Time            `json:"since"` // of the webhook; another one begins anew
	Progress projections.Progress `json:"progress"`
	Aside    []aside              `json:"aside,omitempty"`
	Batch    *batch               `json:"batch,omitempty"`
	Digested time.Time            `json:"digested,omitzero"` // until when digests were sent
	Request  int                  `json:"request,omitempty"` // the last one that was done

	Tried    int       `json:"tried,omitempty"`    // attempts at what stands at the head
	Failures int       `json:"failures,omitempty"` // in a row
	Failing  time.Time `json:"failing,omitzero"`   // since the first of them
	Slowed   time.Time `json:"slowed,omitzero"`    // since when it says that it is too much
	Next     time.Time `json:"next,omitzero"`      // nothing is sent before

	Attempts  int    `json:"attempts,omitempty"`
	Delivered uint64 `json:"delivered,omitempty"`
	Failed    uint64 `json:"failed,omitempty"`

	Face       string               `json:"face,omitempty"`       // of the endpoint that this is about
	Agreements []domain.AgreementID `json:"agreements,omitempty"` // that were looked out for; empty: all
	Disabled   bool                 `json:"disabled,omitempty"`

	torn bool // it could not be read
}

// readRecord returns what was kept of a lane. One that cannot be read is a concern of that lane alone.
func readRecord(value []byte) (r record) {
	if value == nil {
		return r
	}
	if err := json.Unmarshal(value, &r); err != nil {
		return record{torn: true}
	}
	return r
}

// aside is an event that failed and is tried again while later ones go ahead.
type aside struct {
	Position string    `json:"position"`
	Tried    int       `json:"tried"`
	Next     time.Time `json:"next"`
}

// batch is what one message sums up. It is fixed before the first attempt, so that every attempt says the same
// under the same id.
type batch struct {
	ID   string               `json:"id"`
	UpTo projections.Progress `json:"up_to"`
	At   time.Time            `json:"at"`            // of the last event in it
	Ends time.Time            `json:"ends,omitzero"` // of a daily or weekly digest: until when it reaches
}

// faceOf tells one endpoint from another one that took its place.
func faceOf(w *domain.Webhook) string {
	h := sha256.New()
	h.Write([]byte(w.Settings.Format))
	for _, part := range [][]byte{w.Settings.Address, w.Secret} {
		h.Write([]byte{byte(len(part)), byte(len(part) >> 8)})
		h.Write(part)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// bound keeps a clock that was ahead from holding the lane up until then: nothing waits longer than the longest
// step, and nothing that happened lies ahead.
func (r *record) bound(now time.Time, zone *time.Location, every domain.Digest) {
	latest := now.Add(longestWish + longestWish/5)
	if r.Next.After(latest) {
		r.Next = now
	}
	for n := range r.Aside {
		if r.Aside[n].Next.After(latest) {
			r.Aside[n].Next = now
		}
	}
	if r.Failing.After(now) {
		r.Failing = now
	}
	if r.Slowed.After(now) {
		r.Slowed = now
	}
	if r.Digested.After(now) {
		r.Digested = digestTime(now, zone, every)
	}
}

// rested leaves the time out in which nothing was tried, because nobody ran the lane.
func (r *record) rested(now time.Time) {
	if off := now.Sub(r.Next); !r.Failing.IsZero() && !r.Next.IsZero() && off > 0 {
		r.Failing = r.Failing.Add(off)
	}
}

// adopt brings the record up to date with the webhook: a webhook that is enabled again, or leads somewhere
// else, is tried at once; agreements that it had left out begin when they were chosen, however late the lane comes to know.
func (r *record) adopt(image Image, w *domain.Webhook) {
	if !r.Since.Equal(w.Since) {
		*r = record{Since: w.Since, Face: faceOf(w), Agreements: w.Settings.Agreements}
	}
	if face := faceOf(w); face != r.Face || r.Disabled && w.Disabled == "" {
		r.Face, r.Failures, r.Failing, r.Slowed, r.Next, r.Tried = face, 0, time.Time{}, time.Time{}, time.Time{}, 0
		for n := range r.Aside {
			r.Aside[n].Next = time.Time{}
		}
	}
	r.Disabled = w.Disabled != ""
	if now := w.Settings.Agreements; !slices.Equal(now, r.Agreements) {
		before := r.Agreements
		image.Skip(outlook(w), &r.Progress, w.Chosen, func(a domain.AgreementID) bool {
			return !wanted(before, a) && wanted(now, a)
		})
		r.Agreements = now
	}
}

func wanted(list []domain.AgreementID, a domain.AgreementID) bool {
	return len(list) == 0 || slices.Contains(list, a)
}

func outlook(w *domain.Webhook) projections.Outlook {
	return projections.Outlook{Partner: w.Ref.Partner, Since: w.Since, Limit: lookAhead}
}

func (r *record) standing(image Image, w *domain.Webhook) Standing {
	if !r.Since.Equal(w.Since) {
		r = &record{}
	}
	return Standing{
		Delivered: r.Delivered, Failed: r.Failed, Aside: len(r.Aside), Failing: r.Failing, Next: r.Next,
		Behind: image.Behind(outlook(w), &r.Progress),
	}
}
