package domain

import (
	"net/url"
	"strings"
)

// Evidence is a document that supports a delivery, a rejection, a condition or the check of a criterion.
type Evidence struct {
	Title  string `json:"title"`
	URL    string `json:"url"`
	SHA256 string `json:"sha256,omitempty"` // lower-case hexadecimal, of the document
}

// PrivateEvidence is evidence that only the delivering partner sees (R16).
type PrivateEvidence struct {
	Partner  PartnerID
	Evidence []Evidence
}

// PrivateEvidenceOf returns the partner's private evidence of the last delivery.
func (m *Milestone) PrivateEvidenceOf(partner PartnerID) []Evidence {
	if m.PrivateEvidence == nil || m.PrivateEvidence.Partner != partner {
		return nil
	}
	return m.PrivateEvidence.Evidence
}

// EvidenceKept carries the private evidence of a delivery. It is a separate event, because an event has one
// audience, and the last of its commit, so that partners that do not see it count the same events.
type EvidenceKept struct {
	Round    int        `json:"round"`
	Evidence []Evidence `json:"evidence"`
}

func (e EvidenceKept) apply(world *World, header Header) {
	partner, _ := header.Audience.Private()
	header.editMilestone(world).PrivateEvidence = &PrivateEvidence{partner, e.Evidence}
}

// evidenceLists validates shared and private evidence together.
func (v *validation) evidenceLists(lists ...[]Evidence) {
	n := 0
	for _, list := range lists {
		n += len(list)
		for _, evidence := range list {
			v.evidence(evidence)
		}
	}
	if n > 50 {
		v.add("evidence", "has %d; at most 50 are allowed", n)
	}
}

func (v *validation) evidence(evidence Evidence) {
	v.line("evidence", evidence.Title, 200, true)
	v.line("evidence", evidence.URL, 2000, true)
	if parsed, err := url.Parse(evidence.URL); err != nil || parsed.Host == "" || (parsed.Scheme != "https" && parsed.Scheme != "http") {
		v.add("evidence", "%q is not an http or https URL", evidence.URL)
	}
	if evidence.SHA256 != "" && (len(evidence.SHA256) != 64 || strings.Trim(evidence.SHA256, "0123456789abcdef") != "") {
		v.add("evidence", "sha256 must have 64 lower-case hexadecimal digits")
	}
}

// documents validates the documents of terms.
func (v *validation) documents(list []Evidence) {
	var check validation
	check.evidenceLists(list)
	for _, fieldError := range check {
		fieldError.Field = "documents"
		*v = append(*v, fieldError)
	}
}
