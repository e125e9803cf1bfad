package domain

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
)

// TermsDocument is the canonical form of what a party signs. Its bytes are JSON in the canonical form of RFC 8785, and
// its SHA-256 is part of each signature, so that both sides can compare what they signed with each other and with the
// paper. The rules:
//
//   - Instruments are parts: the document contains their hashes only, sorted, so that a party that may not see an
//     instrument (R5) sees the same document and can sign it. A part of an instrument that is not public knowledge
//     among the parties has a random salt, so that its content cannot be guessed from the hash.
//   - Members without a value are left out. The hash of terms therefore stays the same if later versions know more
//     members.
type TermsDocument struct {
	Bytes []byte
	Parts []TermsPart
}

// TermsPart is the canonical form of an instrument, or of its end by an amendment.
type TermsPart struct {
	Bytes      []byte
	SHA256     string
	Instrument Instrument // says who may see the part
}

// SHA256 returns the hash of the document in lower-case hexadecimal.
func (d TermsDocument) SHA256() string { return hexSHA256(d.Bytes) }

func hexSHA256(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// TermsDocument returns the present terms with the hashes of all instruments.
func (a *Agreement) TermsDocument() TermsDocument {
	var document TermsDocument
	for _, instrument := range a.Instruments {
		document.add(instrument, instrument)
	}
	document.Bytes = canonical(map[string]any{"agreement": a.ID, "instruments": document.hashes(), "terms": withTerm(a.Terms, a.Terms.TermKind())})
	return document
}

// keepSigned keeps the present terms, before an event replaces them, if a party has signed them.
func (a *Agreement) keepSigned() {
	if len(a.Signatures) > 0 {
		a.FormerTerms = append(slices.Clip(a.FormerTerms), FormerTerms{a.Terms, a.Instruments})
	}
}

// WithTerms returns the agreement with the terms whose document has the given hash: the present ones, or former ones to
// which the partner was a party. It returns nil if there are none.
func (a *Agreement) WithTerms(sha256 string, partner PartnerID) *Agreement {
	if a.TermsDocument().SHA256() == sha256 {
		return a
	}
	for _, former := range slices.Backward(a.FormerTerms) {
		then := *a
		then.Terms, then.Instruments = former.Terms, former.Instruments
		if then.Party(partner) && then.TermsDocument().SHA256() == sha256 {
			return &then
		}
	}
	return nil
}

// AmendmentDocument returns the changes of an amendment, with the terms before and after. It does not contain the
// other terms, because another amendment may take effect between two signatures; each signature has the hash of the
// resulting terms beside it.
func (a *Agreement) AmendmentDocument(amendment *Amendment) TermsDocument {
	var document TermsDocument
	for _, instrument := range amendment.Changes.AddInstruments {
		document.add(instrument, instrument)
	}
	for _, end := range amendment.Changes.EndInstruments {
		if instrument := a.Instrument(end.ID); instrument != nil {
			document.add(*instrument, struct {
				InstrumentEnd
				Salt string `json:"salt,omitempty"`
			}{end, instrument.Salt})
		}
	}
	document.Bytes = canonical(map[string]any{
		"agreement": a.ID, "amendment": amendment.Number, "title": amendment.Title, "from": amendment.From, "to": amendment.Changes.Terms,
		"instruments": document.hashes(), "join": emptyIfNil(amendment.joiners()), "documents": emptyIfNil(amendment.Changes.Documents),
	})
	return document
}

// WithJoiners returns the agreement as it will be with the partners that join by the amendment, by which their part in
// added instruments is judged.
func (a *Agreement) WithJoiners(amendment *Amendment) *Agreement {
	joined := *a
	for _, partner := range amendment.joiners() {
		if !joined.Party(partner) {
			joined.Terms.Parties = with(joined.Terms.Parties, partner)
		}
	}
	return &joined
}

// InstrumentPart returns the canonical form of one of the agreement's instruments.
func (a *Agreement) InstrumentPart(instrument *Instrument) TermsPart {
	var document TermsDocument
	document.add(*instrument, *instrument)
	return document.Parts[0]
}

func emptyIfNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func (d *TermsDocument) add(instrument Instrument, content any) {
	data := canonical(content)
	if whole, ok := content.(Instrument); ok {
		data = canonical(withTerm(whole, whole.TermKind()))
	}
	d.Parts = append(d.Parts, TermsPart{data, hexSHA256(data), instrument})
	slices.SortFunc(d.Parts, func(a, b TermsPart) int { return strings.Compare(a.SHA256, b.SHA256) })
}

func (d *TermsDocument) hashes() []string {
	hashes := []string{}
	for _, part := range d.Parts {
		hashes = append(hashes, part.SHA256)
	}
	return hashes
}

// withTerm returns the members of a value with the kind of its term, which is stored only if it is undisclosed.
func withTerm(value any, kind TermKind) any {
	members := plainJSON(value).(map[string]any)
	members["term"] = kind
	return members
}

// plainJSON returns a value as maps and lists. Values of this package can always be encoded.
func plainJSON(value any) (plain any) {
	data, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(&plain); err != nil {
		panic(err)
	}
	return plain
}

// canonical returns the JSON of a value as RFC 8785 defines it. Texts of this package contain no character that
// encoding/json would escape in another way, keys are ASCII, and numbers are integers.
func canonical(value any) []byte {
	var data bytes.Buffer
	encoder := json.NewEncoder(&data)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(plainJSON(value)); err != nil {
		panic(err)
	}
	return bytes.TrimSuffix(data.Bytes(), []byte("\n"))
}
