package domain

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// The canonical form never changes: the hashes are in stored signatures and on paper.
func TestTermsDocument(t *testing.T) {
	agreement := &Agreement{ID: "pact", Terms: Terms{
		Title: "Größe <&> 协议", Parties: []PartnerID{"nokia", "xiaomi"}, EffectiveOn: 2017_07_05, AcceptanceDays: 10,
		Documents: []Evidence{{Title: "Agreement", URL: "https://files.example/a.pdf?x=1&y=2"}},
	}, Instruments: []Instrument{{
		ID: "supply", Kind: Supply, Title: "Supply", Roles: map[RoleName][]PartnerID{Supplier: {"nokia"}, Customer: {"xiaomi"}},
		EffectiveOn: 2017_07_05, Term: TermUndisclosed, Disclosure: Undisclosed, Salt: "5f4dcc3b",
	}}}
	document := agreement.TermsDocument()
	part := `{"disclosure":"undisclosed","effective_on":"2017-07-05","id":"supply","kind":"supply","roles":{"customer":["xiaomi"],"supplier":["nokia"]},` +
		`"salt":"5f4dcc3b","term":"undisclosed","title":"Supply"}`
	require.Equal(t, part, string(document.Parts[0].Bytes))
	require.Equal(t, fmt.Sprintf("%x", sha256.Sum256([]byte(part))), document.Parts[0].SHA256)
	require.Equal(t, `{"agreement":"pact","instruments":["`+document.Parts[0].SHA256+`"],"terms":{"acceptance_days":10,"deemed_acceptance":false,`+
		`"documents":[{"title":"Agreement","url":"https://files.example/a.pdf?x=1&y=2"}],"effective_on":"2017-07-05","forecast_tolerance_days":0,`+
		`"parties":["nokia","xiaomi"],"term":"open_ended","title":"Größe <&> 协议"}}`, string(document.Bytes))
	require.Equal(t, fmt.Sprintf("%x", sha256.Sum256(document.Bytes)), document.SHA256())
}

// A signature has the hash of what was signed; both parties sign the same, and the last one leads to the hashed terms.
func TestSignaturesHaveTheHashOfTheTerms(t *testing.T) {
	s := &scenario{t: t, ledger: newLedger(t), today: 2018_01_08}
	s.given("a draft agreement pact between nokia and xiaomi")
	s.must("nokia", "add-instrument lab kind=joint_development")
	draft := s.ledger.plain.Agreement("pact").TermsDocument().SHA256()
	s.must("nokia", "sign pact")
	s.must("xiaomi", "sign pact")
	for _, signature := range s.ledger.plain.Agreement("pact").Signatures {
		require.Equal(t, draft, signature.TermsSHA256)
		require.NotZero(t, signature.At)
	}
	s.must("nokia", `propose-amendment pact acceptance_days=20 documents="Letter https://files.example/letter" end_instruments="lab 2018-12-31"`)
	s.must("nokia", "propose-amendment pact forecast_tolerance_days=7")
	s.must("nokia", "sign-amendment pact number=1")
	s.must("nokia", "sign-amendment pact number=2")
	s.must("xiaomi", "sign-amendment pact number=2") // between the signatures of amendment 1
	s.must("xiaomi", "sign-amendment pact number=1")
	agreement := s.ledger.plain.Agreement("pact")
	amendment := agreement.Amendment(1)
	for _, signature := range amendment.Signatures {
		require.Equal(t, agreement.AmendmentDocument(amendment).SHA256(), signature.TermsSHA256)
	}
	require.NotEqual(t, amendment.Signatures[0].ResultSHA256, amendment.Signatures[1].ResultSHA256)
	require.Equal(t, agreement.TermsDocument().SHA256(), amendment.Signatures[1].ResultSHA256)
	require.NotEqual(t, draft, agreement.TermsDocument().SHA256())
	s.ledger.check()
}
