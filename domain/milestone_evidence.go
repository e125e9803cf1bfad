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

// PrivateEvidence is what the deliverer keeps for itself beside the evidence that it shows (R16).
type PrivateEvidence struct {
	Partner  PartnerID
	Evidence []Evidence
}

// PrivateEvidenceOf returns the evidence of the last delivery that p keeps for itself.
func (m *Milestone) PrivateEvidenceOf(partner PartnerID) []Evidence {
	if m.PrivateEvidence == nil || m.PrivateEvidence.Partner != partner {
		return nil
	}
	return m.PrivateEvidence.Evidence
}

// EvidenceKept is what only the deliverer sees of a delivery. It is an event of its own, because an event has
// one audience, and the last of its commit, so that those who do not see it count the same events.
type EvidenceKept struct {
	Round    int        `json:"round"`
	Evidence []Evidence `json:"evidence"`
}

func (e EvidenceKept) apply(world *World, header Header) {
	partner, _ := header.Audience.Private()
	header.editMilestone(world).PrivateEvidence = &PrivateEvidence{partner, e.Evidence}
}

// evidenceLists checks both what is shown and what is kept.
func (v *validation) evidenceLists(lists ...[]Evidence) {
	n := 0
	for _, list := range lists {
		n += len(list)
		for _, evidence := range list {
			v.evidence(evidence)
		}
	}
	if n > 50 {
		v.add("evidence", "there are %d; at most 50 are allowed", n)
	}
}

func (v *validation) evidence(evidence Evidence) {
	v.line("evidence", evidence.Title, 200, true)
	v.line("evidence", evidence.URL, 2000, true)
	if parsed, err := url.Parse(evidence.URL); err != nil || parsed.Host == "" || (parsed.Scheme != "https" && parsed.Scheme != "http") {
		v.add("evidence", "%q is not an http or https address", evidence.URL)
	}
	if evidence.SHA256 != "" && (len(evidence.SHA256) != 64 || strings.Trim(evidence.SHA256, "0123456789abcdef") != "") {
		v.add("evidence", "sha256 is not 64 lower-case hexadecimal digits")
	}
}
