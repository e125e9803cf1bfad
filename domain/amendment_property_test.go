package domain

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Two or three parties and two partners that could join propose, sign, reject and withdraw at random (R3, R17).
func TestRandomAmendments(t *testing.T) {
	for name, parties := range map[string][]PartnerID{
		"two parties":   {"nokia", "xiaomi"},
		"three parties": {"nokia", "xiaomi", "zte"},
	} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				w := newTermsWatch(t, parties)
				for range rapid.IntRange(10, 60).Draw(t, "length") {
					w.step(drawAmending(t), drawSigner(t, w.ledger))
				}
				w.ledger.check()
			})
		})
	}
}

// termsWatch checks an agreement during random amendments.
type termsWatch struct {
	t      *rapid.T
	ledger *ledger
}

func newTermsWatch(t *rapid.T, parties []PartnerID) *termsWatch {
	w := &termsWatch{t, newLedger(t)}
	dc := DecisionContext{At: time.Unix(1515369600, 0).UTC(), Today: 2018_01_08}
	do := func(partner PartnerID, command Command) {
		dc.Actor = Actor{Partner: partner, Member: "m", Role: Manager, MaySign: true}
		_, refusal := w.ledger.do(command, dc)
		require.Nil(t, refusal)
	}
	do("nokia", DraftAgreement{"a", Terms{Title: "A", Parties: parties, EffectiveOn: 2018_01_01, ExpiresOn: 2018_12_31, AcceptanceDays: 10}})
	do("nokia", AddInstrument{"a", Instrument{ID: "i", Kind: Collaboration, Title: "I", EffectiveOn: 2018_01_01, Disclosure: Disclosed}})
	for _, partner := range parties {
		do(partner, SignAgreement{AgreementID: "a", Signatory: "S"})
	}
	return w
}

func (w *termsWatch) agreement() *Agreement { return w.ledger.plain.Agreement("a") }

func (w *termsWatch) step(command Command, dc DecisionContext) {
	before := *w.agreement()
	events, refusal := w.ledger.do(command, dc)
	if refusal != nil {
		return
	}
	require.Equal(w.t, Manager, dc.Actor.Role, "only managers change anything")
	require.True(w.t, before.VisibleTo(dc.Actor.Partner), "R16: only who sees it changes it")
	amended := false
	for _, event := range events {
		if p, ok := event.Payload.(AgreementAmended); ok {
			amended = true
			w.tookEffect(p, before)
		}
	}
	now := w.agreement()
	if !amended {
		require.Equal(w.t, before.Terms, now.Terms, "R3")
		require.Equal(w.t, before.Instruments, now.Instruments, "R3")
	}
	w.ends(command, dc, before)
	for i, amendment := range now.Amendments {
		require.Equal(w.t, i+1, amendment.Number, "R3: numbers are dense")
		w.holds(now, amendment)
	}
	w.onlyTheInvited(now)
}

// ends checks that no party ends or leaves an agreement against the rules (R3, R4).
func (w *termsWatch) ends(command Command, dc DecisionContext, before Agreement) {
	now := w.agreement()
	if _, ends := command.(TerminateAgreement); !ends {
		require.Equal(w.t, before.Termination, now.Termination, "R3")
		require.Len(w.t, now.TerminationNotices, len(before.TerminationNotices), "R3")
	}
	switch command.(type) {
	case ProposeAmendment, SignAmendment, TerminateAgreement:
		require.False(w.t, before.HasLeft(dc.Actor.Partner, dc.At), "R4: who has left begins nothing")
		require.Equal(w.t, AgreementStateActive, before.State(dc.At), "R4")
	}
	leaving := 0
	for _, notice := range now.TerminationNotices {
		require.NotEmpty(w.t, notice.Reason, "R3")
		if now.Termination.Mode == ByNotice && notice.On <= now.Termination.On {
			leaving++
		}
	}
	if now.Termination.Mode == ByNotice && len(now.Terms.Parties) == len(before.Terms.Parties) && before.Termination.On != now.Termination.On {
		require.GreaterOrEqual(w.t, leaving, len(now.Terms.Parties)-1, "R3: notice ends it only when fewer than two stay")
	}
	if now.Termination.Mode == Mutual && before.Termination.On != now.Termination.On {
		require.Equal(w.t, before.present(before.Terms.Parties, dc.At), now.Termination.CalledBy, "R3: mutual takes every party")
	}
}

// tookEffect checks that an amendment took effect as a whole, with every signature.
func (w *termsWatch) tookEffect(event AgreementAmended, before Agreement) {
	amendment, now := w.agreement().Amendment(event.Amendment), w.agreement()
	require.Equal(w.t, AmendmentStateInForce, amendment.State)
	require.Equal(w.t, before.Terms, event.From)
	require.Equal(w.t, now.Terms, event.To)
	require.Equal(w.t, before.present(before.Terms.Parties, w.ledger.at), amendment.ProposedTo)
	require.Equal(w.t, amendment.RequiredSigners(), now.present(now.Terms.Parties, w.ledger.at))
	for _, partner := range amendment.RequiredSigners() {
		require.True(w.t, amendment.signed(partner), "R3: every party signed, who joins too")
	}
	require.Empty(w.t, amendment.Changes.Terms.changedField(now.Terms), "R3: all of it is in force")
	for _, instrument := range amendment.Changes.AddInstruments {
		require.Equal(w.t, instrument, *now.Instrument(instrument.ID))
	}
	for _, end := range amendment.Changes.EndInstruments {
		require.Equal(w.t, end.ExpiresOn, now.Instrument(end.ID).ExpiresOn)
	}
}

// holds checks the invariants of an amendment.
func (w *termsWatch) holds(agreement *Agreement, amendment *Amendment) {
	require.Equal(w.t, amendment.State == AmendmentStateOpen, amendment.DecidedAt == 0)
	if ground, broken := amendment.findVoidGround(agreement, w.ledger.at); broken && amendment.State == AmendmentStateOpen {
		require.Equal(w.t, "parties", ground.Field, "R3: what lost its ground is void, unless a day of leaving passed in silence")
		require.NotEmpty(w.t, agreement.TerminationNotices)
	}
	if amendment.State == AmendmentStateInForce {
		require.Empty(w.t, amendment.missingSigners(), "R3")
	}
	if amendment.State == AmendmentStateOpen {
		require.True(w.t, slices.ContainsFunc(amendment.RequiredSigners(), amendment.Awaits), "R3: an open amendment waits for a signer")
	}
	if amendment.InvitedAt != 0 {
		for _, partner := range amendment.ProposedTo {
			require.True(w.t, amendment.signed(partner), "R17: the invitation follows the signatures of all parties")
		}
	}
}

// onlyTheInvited checks that only parties and invited partners see the agreement.
func (w *termsWatch) onlyTheInvited(agreement *Agreement) {
	invitations := 0
	for _, partner := range []PartnerID{"zte", "sony", "huawei"} {
		if agreement.Party(partner) {
			continue
		}
		invited := slices.ContainsFunc(agreement.Amendments, func(amendment *Amendment) bool {
			return amendment.State == AmendmentStateOpen && amendment.InvitedAt != 0 && slices.Contains(amendment.joiners(), partner)
		})
		require.Equal(w.t, invited, agreement.VisibleTo(partner), "R17")
		for _, amendment := range agreement.Amendments {
			require.True(w.t, invited || !amendment.VisibleTo(partner), "R17")
		}
	}
	for _, amendment := range agreement.Amendments {
		if amendment.State == AmendmentStateOpen && amendment.InvitedAt != 0 {
			invitations++
		}
	}
	require.LessOrEqual(w.t, invitations, 1, "R17: what the invited read does not change under them")
}

func drawSigner(t *rapid.T, l *ledger) DecisionContext {
	dc := drawMeta(t, l, []PartnerID{"nokia", "xiaomi", "zte", "sony"})
	dc.At = later(l.at, dc.Today.Time())
	return dc
}

func drawAmending(t *rapid.T) Command {
	number := rapid.IntRange(0, 5).Draw(t, "amendment")
	switch rapid.IntRange(0, 19).Draw(t, "amending") {
	case 4:
		return TerminateAgreement{
			"a", rapid.SampledFrom([]TerminationMode{Mutual, ByNotice, ByNotice}).Draw(t, "mode"), drawText.Draw(t, "reason"),
			rapid.SampledFrom([]Date{2018_02_01, 2018_03_29, 2018_11_30}).Draw(t, "last day"),
		}
	case 0, 1:
		return ProposeAmendment{AgreementID: "a", Title: drawText.Draw(t, "title"), Changes: drawTermsWanted(t)}
	case 2:
		return RejectAmendment{AmendmentRef{"a", number}, drawText.Draw(t, "reason")}
	case 3:
		return WithdrawAmendment{AmendmentRef: AmendmentRef{"a", number}}
	}
	return SignAmendment{AmendmentRef: AmendmentRef{Agreement: "a", Number: number}, Signatory: "S"}
}

func drawTermsWanted(t *rapid.T) (changes AmendmentChanges) {
	switch rapid.IntRange(0, 5).Draw(t, "wanted") {
	case 0:
		changes.Terms.Title, changes.Terms.DeemedAcceptance = maybe(t, drawText, "new title"), maybe(t, rapid.Bool(), "deemed")
	case 1:
		changes.Terms.ExpiresOn, changes.Terms.NoEnd = drawDate.Draw(t, "expires"), rapid.Bool().Draw(t, "no end")
	case 2:
		changes.AddInstruments = []Instrument{{
			ID: rapid.SampledFrom([]InstrumentID{"i", "j", "k"}).Draw(t, "instrument"), Kind: Supply, Title: "S", EffectiveOn: 2018_01_01,
			Disclosure: Undisclosed, Roles: map[RoleName][]PartnerID{Supplier: {"nokia"}, Customer: {drawOwner.Draw(t, "customer")}},
		}}
	case 3:
		changes.EndInstruments = []InstrumentEnd{{
			ID: rapid.SampledFrom([]InstrumentID{"i", "j"}).Draw(t, "instrument"), ExpiresOn: rapid.SampledFrom([]Date{2018_06_30, 2019_06_30}).Draw(t, "ends"),
		}}
	case 4:
		for range rapid.IntRange(1, 2).Draw(t, "joining") {
			changes.Join = append(changes.Join, Joining{rapid.SampledFrom([]PartnerID{"zte", "sony"}).Draw(t, "joins")})
		}
	}
	if rapid.Bool().Draw(t, "days too") {
		changes.Terms.AcceptanceDays = new(rapid.IntRange(9, 12).Draw(t, "days"))
	}
	return changes
}
