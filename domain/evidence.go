package domain

import (
	"net/url"
	"strings"
)

// Evidence supports a delivery.
type Evidence struct {
	Title  string `json:"title"`
	URL    string `json:"url"`
	SHA256 string `json:"sha256,omitempty"` // lower-case hexadecimal
}

// KeptEvidence is what the deliverer keeps for itself beside the evidence that it shows (R16).
type KeptEvidence struct {
	Partner  PartnerID
	Evidence []Evidence
}

// KeptBy returns the evidence of the last delivery that p keeps for itself.
func (m *Milestone) KeptBy(p PartnerID) []Evidence {
	if m.Kept == nil || m.Kept.Partner != p {
		return nil
	}
	return m.Kept.Evidence
}

// EvidenceKept is what only the deliverer sees of a delivery. It is an event of its own, because an event has
// one audience, and the last of its commit, so that those who do not see it count the same events.
type EvidenceKept struct {
	Round    int        `json:"round"`
	Evidence []Evidence `json:"evidence"`
}

func (e EvidenceKept) apply(w *World, h Header) {
	p, _ := h.Audience.Private()
	h.edit(w).Kept = &KeptEvidence{p, e.Evidence}
}

// evidence checks both what is shown and what is kept.
func (f *faults) evidence(lists ...[]Evidence) {
	n := 0
	for _, list := range lists {
		n += len(list)
		for _, e := range list {
			f.oneEvidence(e)
		}
	}
	if n > 50 {
		f.add("evidence", "there are %d; at most 50 are allowed", n)
	}
}

func (f *faults) oneEvidence(e Evidence) {
	f.line("evidence", e.Title, 200, true)
	f.line("evidence", e.URL, 2000, true)
	if u, err := url.Parse(e.URL); err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		f.add("evidence", "%q is not an http or https address", e.URL)
	}
	if e.SHA256 != "" && (len(e.SHA256) != 64 || strings.Trim(e.SHA256, "0123456789abcdef") != "") {
		f.add("evidence", "sha256 is not 64 lower-case hexadecimal digits")
	}
}
