package domain

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Two or three parties, and two partners that could join, propose, sign, reject and withdraw at
// random (R3, R17).
func TestTermsChangeOnlyAsAllHaveSigned(t *testing.T) {
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

// termsWatch follows an agreement whose amendments come and go.
type termsWatch struct {
	t      *rapid.T
	ledger *ledger
}

func newTermsWatch(t *rapid.T, parties []PartnerID) *termsWatch {
	w := &termsWatch{t, newLedger(t)}
	m := Meta{At: time.Unix(1515369600, 0).UTC(), Today: 2018_01_08}
	do := func(p PartnerID, c Command) {
		m.Actor = Actor{Partner: p, Member: "m", Role: Manager}
		_, refusal := w.ledger.do(c, m)
		require.Nil(t, refusal)
	}
	do("nokia", DraftAgreement{"a", Terms{Title: "A", Parties: parties, EffectiveOn: 2018_01_01, ExpiresOn: 2018_12_31, AcceptanceDays: 10}})
	do("nokia", AddInstrument{"a", Instrument{ID: "i", Kind: Collaboration, Title: "I", EffectiveOn: 2018_01_01, Disclosure: Disclosed}})
	for _, p := range parties {
		do(p, SignAgreement{ID: "a"})
	}
	return w
}

func (w *termsWatch) agreement() *Agreement { return w.ledger.plain.Agreement("a") }

func (w *termsWatch) step(c Command, m Meta) {
	before := *w.agreement()
	events, refusal := w.ledger.do(c, m)
	if refusal != nil {
		return
	}
	require.Equal(w.t, Manager, m.Actor.Role, "only managers change anything")
	require.True(w.t, before.Sees(m.Actor.Partner), "R16: only who sees it changes it")
	amended := false
	for _, e := range events {
		if p, ok := e.Payload.(AgreementAmended); ok {
			amended = true
			w.tookEffect(p, before)
		}
	}
	now := w.agreement()
	if !amended {
		require.Equal(w.t, before.Terms, now.Terms, "R3")
		require.Equal(w.t, before.Instruments, now.Instruments, "R3")
	}
	w.ends(c, m, before)
	for i, x := range now.Amendments {
		require.Equal(w.t, i+1, x.Number, "R3: numbers are dense")
		w.holds(now, x)
	}
	w.onlyTheInvited(now)
}

// ends checks that nobody ends or leaves an agreement alone against the rules (R3, R4).
func (w *termsWatch) ends(c Command, m Meta, before Agreement) {
	now := w.agreement()
	if _, ends := c.(TerminateAgreement); !ends {
		require.Equal(w.t, before.Ending, now.Ending, "R3")
		require.Len(w.t, now.Notices, len(before.Notices), "R3")
	}
	switch c.(type) {
	case ProposeAmendment, SignAmendment, TerminateAgreement:
		require.False(w.t, before.Left(m.Actor.Partner, m.At), "R4: who has left begins nothing")
		require.Equal(w.t, AgreementActive, before.State(m.At), "R4")
	}
	leaving := 0
	for _, n := range now.Notices {
		require.NotEmpty(w.t, n.Reason, "R3")
		if now.Ending.Mode == ByNotice && n.On <= now.Ending.On {
			leaving++
		}
	}
	if now.Ending.Mode == ByNotice && len(now.Terms.Parties) == len(before.Terms.Parties) && before.Ending.On != now.Ending.On {
		require.GreaterOrEqual(w.t, leaving, len(now.Terms.Parties)-1, "R3: notice ends it only when fewer than two stay")
	}
	if now.Ending.Mode == Mutual && before.Ending.On != now.Ending.On {
		require.Equal(w.t, before.present(before.Terms.Parties, m.At), now.Ending.CalledBy, "R3: mutual takes every party")
	}
}

// tookEffect checks that all of an amendment took effect, with every signature.
func (w *termsWatch) tookEffect(e AgreementAmended, before Agreement) {
	x, now := w.agreement().Amendment(e.Amendment), w.agreement()
	require.Equal(w.t, AmendmentInForce, x.State)
	require.Equal(w.t, before.Terms, e.From)
	require.Equal(w.t, now.Terms, e.To)
	require.Equal(w.t, before.present(before.Terms.Parties, w.ledger.at), x.Asked)
	require.Equal(w.t, x.Signers(), now.present(now.Terms.Parties, w.ledger.at))
	for _, p := range x.Signers() {
		require.True(w.t, x.Signed(p), "R3: every party signed, who joins too")
	}
	require.Empty(w.t, x.Changes.Terms.changed(now.Terms), "R3: all of it is in force")
	for _, i := range x.Changes.AddInstruments {
		require.Equal(w.t, i, *now.Instrument(i.ID))
	}
	for _, end := range x.Changes.EndInstruments {
		require.Equal(w.t, end.ExpiresOn, now.Instrument(end.ID).ExpiresOn)
	}
}

// holds checks what is true of every amendment at any time.
func (w *termsWatch) holds(a *Agreement, x *Amendment) {
	require.Equal(w.t, x.State == AmendmentOpen, x.DecidedAt == 0)
	if ground, broken := x.broken(a, w.ledger.at); broken && x.State == AmendmentOpen {
		require.Equal(w.t, "parties", ground.Field, "R3: what lost its ground is void, unless a day of leaving passed in silence")
		require.NotEmpty(w.t, a.Notices)
	}
	if x.State == AmendmentInForce {
		require.Empty(w.t, x.missing(), "R3")
	}
	if x.State == AmendmentOpen {
		require.True(w.t, slices.ContainsFunc(x.Signers(), x.Awaits), "R3: an open amendment waits for somebody")
	}
	if x.InvitedAt != 0 {
		for _, p := range x.Asked {
			require.True(w.t, x.Signed(p), "R17: nobody is invited before all parties have signed")
		}
	}
}

// onlyTheInvited checks that nobody but the parties and those whom all of them invited sees anything.
func (w *termsWatch) onlyTheInvited(a *Agreement) {
	invitations := 0
	for _, p := range []PartnerID{"zte", "sony", "huawei"} {
		if a.Party(p) {
			continue
		}
		invited := slices.ContainsFunc(a.Amendments, func(x *Amendment) bool {
			return x.State == AmendmentOpen && x.InvitedAt != 0 && slices.Contains(x.Joiners(), p)
		})
		require.Equal(w.t, invited, a.Sees(p), "R17")
		for _, x := range a.Amendments {
			require.True(w.t, invited || !x.Sees(p), "R17")
		}
	}
	for _, x := range a.Amendments {
		if x.State == AmendmentOpen && x.InvitedAt != 0 {
			invitations++
		}
	}
	require.LessOrEqual(w.t, invitations, 1, "R17: what the invited read does not change under them")
}

func drawSigner(t *rapid.T, l *ledger) Meta {
	m := drawMeta(t, l, []PartnerID{"nokia", "xiaomi", "zte", "sony"})
	m.At = later(l.at, m.Today.Time())
	return m
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
		return ProposeAmendment{ID: "a", Title: drawText.Draw(t, "title"), Changes: drawTermsWanted(t)}
	case 2:
		return RejectAmendment{"a", number, drawText.Draw(t, "reason")}
	case 3:
		return WithdrawAmendment{"a", number}
	}
	return SignAmendment{ID: "a", Number: number}
}

func drawTermsWanted(t *rapid.T) (c AmendmentChanges) {
	switch rapid.IntRange(0, 5).Draw(t, "wanted") {
	case 0:
		c.Terms.Title, c.Terms.DeemedAcceptance = maybe(t, drawText, "new title"), maybe(t, rapid.Bool(), "deemed")
	case 1:
		c.Terms.ExpiresOn, c.Terms.NoEnd = drawDate.Draw(t, "expires"), rapid.Bool().Draw(t, "no end")
	case 2:
		c.AddInstruments = []Instrument{{
			ID: rapid.SampledFrom([]InstrumentID{"i", "j", "k"}).Draw(t, "instrument"), Kind: Supply, Title: "S", EffectiveOn: 2018_01_01,
			Disclosure: Undisclosed, Roles: map[RoleName][]PartnerID{Supplier: {"nokia"}, Customer: {drawOwner.Draw(t, "customer")}},
		}}
	case 3:
		c.EndInstruments = []InstrumentEnd{{
			ID: rapid.SampledFrom([]InstrumentID{"i", "j"}).Draw(t, "instrument"), ExpiresOn: rapid.SampledFrom([]Date{2018_06_30, 2019_06_30}).Draw(t, "ends"),
		}}
	case 4:
		for range rapid.IntRange(1, 2).Draw(t, "joining") {
			c.Join = append(c.Join, Joining{rapid.SampledFrom([]PartnerID{"zte", "sony"}).Draw(t, "joins")})
		}
	}
	if rapid.Bool().Draw(t, "days too") {
		c.Terms.AcceptanceDays = new(rapid.IntRange(9, 12).Draw(t, "days"))
	}
	return c
}
