package domain

import "slices"

// ReportProgress sets the fields that are not nil; at least one is set. A private report is the acting partner's
// own assessment, see [Assessment], and has no percentage.
type ReportProgress struct {
	MilestoneRef `json:"ref"`
	Percent      *int    `json:"percent,omitempty"`
	Health       *Health `json:"health,omitempty"`
	Note         *string `json:"note,omitempty"`
	Private      bool    `json:"private,omitempty"`
}

// Report is the owner's report on the progress.
type Report struct {
	Percent int    `json:"percent"`
	Health  Health `json:"health,omitempty"`
	Note    string `json:"note,omitempty"`
}

// Report returns the owner's report as far as it still applies: in a final state, and if it has [Milestone.Ended], a
// milestone has no health, and one that was accepted or completed is done.
func (m *Milestone) Report(ended bool) Report {
	switch {
	case m.State == Accepted || m.State == PrivatelyCompleted:
		return Report{Percent: 100}
	case m.State.Final() || ended:
		return Report{Percent: m.LastReport.Percent}
	}
	return m.LastReport
}

// ReportFields are the new fields of a report; nil: not reported.
type ReportFields struct {
	Percent *int    `json:"percent,omitempty"`
	Health  *Health `json:"health,omitempty"`
	Note    *string `json:"note,omitempty"`
}

// MilestoneReported carries the reported fields and their values before; a field without one is nil. A note belongs to
// the health it was reported with, so a new health without a note reports an empty one.
type MilestoneReported struct {
	To   ReportFields `json:"to"`
	From ReportFields `json:"from"`
}

// MilestoneProgressed is the form in which earlier versions stored a report: all fields, new and old.
type MilestoneProgressed struct {
	To   Report `json:"to"`
	From Report `json:"from"`
}

func (c ReportProgress) decide(state State, dc DecisionContext) ([]Event, error) {
	milestone, err := findMilestone(state, c.MilestoneRef, dc)
	if err != nil {
		return nil, err
	}
	if err := c.validate().err(); err != nil {
		return nil, err
	}
	if c.Private {
		return c.assessed(milestone, dc)
	}
	if err := milestone.requireOwner(dc); err != nil {
		return nil, err
	}
	if err := milestone.requireState(InProgress); err != nil {
		return nil, err
	}
	if err := milestone.requirePossible(dc.At); err != nil {
		return nil, err
	}
	to, from := c.fields(milestone.LastReport)
	return milestone.event(MilestoneReported{To: to, From: from}), nil
}

// fields returns the reported fields, and their values in the report before.
func (c ReportProgress) fields(before Report) (to, from ReportFields) {
	to = ReportFields{c.Percent, c.Health, c.Note}
	if to.Note == nil && to.Health != nil && before.Note != "" {
		to.Note = new("")
	}
	if to.Percent != nil {
		from.Percent = &before.Percent
	}
	if to.Health != nil && before.Health != "" {
		from.Health = &before.Health
	}
	if to.Note != nil && before.Note != "" {
		from.Note = &before.Note
	}
	return to, from
}

func (e MilestoneReported) apply(world *World, header Header) {
	report := &header.editMilestone(world).LastReport
	set(&report.Percent, e.To.Percent)
	set(&report.Health, e.To.Health)
	set(&report.Note, e.To.Note)
}

func (c ReportProgress) validate() (check validation) {
	switch {
	case c.Private && c.Percent != nil:
		check.add("percent", "a private report has no percentage; give health or note")
	case c.Private && c.Health == nil && c.Note == nil:
		check.add("health", "give health or note")
	case c.Percent == nil && c.Health == nil && c.Note == nil:
		check.add("percent", "give percent, health or note")
	}
	if c.Percent != nil {
		check.inRange("percent", *c.Percent, 0, 100)
	}
	if c.Health != nil && !slices.Contains(Healths(), *c.Health) {
		check.add("health", "%q is unknown; use green, amber or red", *c.Health)
	}
	if c.Note != nil {
		check.text("note", *c.Note, 2000, false)
	}
	return check
}

// Reported returns what was new in the report.
func (e MilestoneProgressed) Reported() (report MilestoneReported) {
	if e.To.Percent != e.From.Percent {
		report.To.Percent, report.From.Percent = &e.To.Percent, &e.From.Percent
	}
	if e.To.Health != e.From.Health {
		report.To.Health, report.From.Health = &e.To.Health, &e.From.Health
	}
	if e.To.Note != e.From.Note {
		report.To.Note, report.From.Note = &e.To.Note, &e.From.Note
	}
	return report
}

func (e MilestoneProgressed) apply(world *World, header Header) {
	header.editMilestone(world).LastReport = e.To
}

// MoveForecast sets the acting partner's forecast, shared or private. A private forecast stays private when a
// private milestone is shared.
type MoveForecast struct {
	MilestoneRef `json:"ref"`
	On           Date   `json:"on"`
	Reason       string `json:"reason,omitempty"`
	Private      bool   `json:"private,omitempty"`
}

// ForecastMoved carries the new and the old forecast; From is zero for the first one.
type ForecastMoved struct {
	To      Forecast `json:"to"`
	From    Date     `json:"from,omitzero"`
	Private bool     `json:"private,omitempty"`
}

func (c MoveForecast) decide(state State, dc DecisionContext) ([]Event, error) {
	milestone, err := findMilestone(state, c.MilestoneRef, dc)
	if err != nil {
		return nil, err
	}
	from := milestone.Forecast(dc.Actor.Partner).On
	if c.Private {
		from = milestone.PrivateForecast(dc.Actor.Partner).On
	}
	var check validation
	check.requiredDate("on", c.On)
	check.plannedDate("on", c.On, dc)
	check.text("reason", c.Reason, 2000, from != 0)
	if err := check.err(); err != nil {
		return nil, err
	}
	if err := dc.requireManager(); err != nil {
		return nil, err
	}
	if err := milestone.requireState(Planned, InProgress, Delivered, ConditionallyAccepted, Disputed); err != nil {
		return nil, err
	}
	if err := milestone.requirePossible(dc.At); err != nil {
		return nil, err
	}
	events := milestone.event(ForecastMoved{To: Forecast{dc.Actor.Partner, c.On, c.Reason}, From: from, Private: c.Private})
	if c.Private {
		events[0].Audience = PrivateTo(dc.Actor.Partner)
	}
	return events, nil
}

func (e ForecastMoved) apply(world *World, header Header) {
	milestone := header.editMilestone(world)
	key := func(forecast Forecast) string { return string(forecast.Partner) }
	if e.Private {
		milestone.PrivateForecasts = upsert(milestone.PrivateForecasts, e.To, key)
		return
	}
	if milestone.Forecasts = upsert(milestone.Forecasts, e.To, key); e.To.Partner == milestone.Plan.Owner {
		milestone.OwnerNomination = nil
	}
}

// CommentMilestone adds a comment for all readers of the milestone, or for the own partner.
type CommentMilestone struct {
	MilestoneRef `json:"ref"`
	Text         string `json:"text"`
	Private      bool   `json:"private,omitempty"`
}

// MilestoneCommented appears in the history only.
type MilestoneCommented struct {
	Text string `json:"text"`
}

func (c CommentMilestone) decide(state State, dc DecisionContext) ([]Event, error) {
	milestone, err := findMilestone(state, c.MilestoneRef, dc)
	if err != nil {
		return nil, err
	}
	var check validation
	check.text("text", c.Text, 10000, true)
	if err := check.err(); err != nil {
		return nil, err
	}
	if err := dc.requireManager(); err != nil {
		return nil, err
	}
	events := milestone.event(MilestoneCommented{c.Text})
	if c.Private {
		events[0].Audience = PrivateTo(dc.Actor.Partner)
	}
	return events, nil
}

func (MilestoneCommented) apply(world *World, header Header) { header.editMilestone(world) }
