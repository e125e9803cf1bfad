package domain_test

import (
	"errors"
	"fmt"
	"time"

	"tandem/domain"
)

// A manager drafts an agreement; the events are folded into the state that the next decision reads.
func ExampleDecide() {
	world := domain.NewWorld()
	dc := domain.DecisionContext{
		Actor: domain.Actor{Partner: "nokia", Member: "anna", Role: domain.Manager},
		At:    time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC),
		Today: domain.NewDate(2026, time.March, 2),
	}
	draft := domain.DraftAgreement{AgreementID: "optics", Terms: domain.Terms{
		Title: "Optics", Parties: []domain.PartnerID{"nokia", "xiaomi"}, EffectiveOn: dc.Today,
	}}
	events, err := domain.Decide(world, draft, dc)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, event := range events {
		stored, data, _ := domain.EncodeEvent(event.Payload)
		fmt.Println(stored, string(data))
		world.Apply(domain.Header{
			Stream: draft.Stream(), Commit: 1, Subject: event.Subject, Audience: event.Audience,
			Partner: dc.Actor.Partner, RecordedAt: dc.At,
		}, event.Payload)
	}
	fmt.Println(world.Agreement("optics").State(dc.At))
	// Output:
	// agreement.drafted.v1 {"terms":{"title":"Optics","parties":["nokia","xiaomi"],"effective_on":"2026-03-02","acceptance_days":0,"deemed_acceptance":false,"forecast_tolerance_days":0}}
	// draft
}

// A refusal has a kind, a stable code and, for invalid commands, all field errors.
func ExampleDecide_refusal() {
	dc := domain.DecisionContext{Actor: domain.Actor{Partner: "nokia", Member: "anna", Role: domain.Manager}}
	_, err := domain.Decide(domain.NewWorld(), domain.DraftAgreement{
		AgreementID: "Optics", Terms: domain.Terms{Title: "Optics", EffectiveOn: domain.NewDate(2026, time.March, 2)},
	}, dc)
	var refusal *domain.Error
	if errors.As(err, &refusal) {
		fmt.Println(refusal.Kind, refusal.Code)
		for _, fieldError := range refusal.Fields {
			fmt.Println(fieldError)
		}
	}
	// Output:
	// invalid invalid_field
	// parties: name at least two
	// id: "Optics" is not an id; use 1 to 63 characters of a-z, 0-9 and hyphen, not starting with a hyphen
}

// A fork holds the changes of commits that are not durable yet. Its base stays as it is.
func ExampleNewFork() {
	base := domain.NewWorld()
	header := domain.Header{Stream: domain.Stream{Agreement: "optics"}, Commit: 1, Audience: domain.Shared}
	base.Apply(header, domain.AgreementDrafted{Terms: domain.Terms{Title: "Optics"}})

	fork := domain.NewFork(base)
	header.Commit = 2
	fork.Apply(header, domain.AgreementActivated{})
	fmt.Println(base.Agreement("optics").Active, fork.Agreement("optics").Active)

	base.Apply(header, domain.AgreementActivated{}) // commit 2 is durable
	fork.Prune(2)
	fmt.Println(base.Agreement("optics").Active, fork.Agreement("optics").Active)
	// Output:
	// false true
	// true true
}

// A private event is visible to one participant, a shared one to all, and neither to another partner.
func ExampleAudience_VisibleTo() {
	participants := []domain.PartnerID{"nokia", "xiaomi"}
	for _, audience := range []domain.Audience{domain.Shared, domain.PrivateTo("nokia")} {
		fmt.Println(audience,
			audience.VisibleTo("nokia", participants), audience.VisibleTo("xiaomi", participants), audience.VisibleTo("sony", participants))
	}
	// Output:
	// shared true true false
	// private:nokia true false false
}
