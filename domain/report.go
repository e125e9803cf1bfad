package domain

import "slices"

// ReportProgress sets what is not nil; at least one is. With Private it is the acting partner's own
// assessment, see [Assessment]; it has no percentage.
type ReportProgress struct {
	Ref     MilestoneRef `json:"ref"`
	Percent *int         `json:"percent,omitempty"`
	Health  *Health      `json:"health,omitempty"`
	Note    *string      `json:"note,omitempty"`
	Private bool         `json:"private,omitempty"`
}

// Report is the owner's word on how it goes.
type Report struct {
	Percent int    `json:"percent"`
	Health  Health `json:"health,omitempty"`
	Note    string `json:"note,omitempty"`
}

// MilestoneProgressed carries the report after and before.
type MilestoneProgressed struct {
	To   Report `json:"to"`
	From Report `json:"from"`
}

// Stream implements Command.
func (c ReportProgress) Stream() Stream { return streamOf(c.Ref) }

func (c ReportProgress) target(s State) *Seen { return seenOf(s.Milestone(c.Ref)) }

func (c ReportProgress) decide(s State, m Meta) ([]Event, error) {
	x, err := find(s, c.Ref, m)
	if err != nil {
		return nil, err
	}
	if err := c.faults().err(); err != nil {
		return nil, err
	}
	if c.Private {
		return c.assessed(x, m)
	}
	if err := x.owns(m); err != nil {
		return nil, err
	}
	if err := x.in(InProgress); err != nil {
		return nil, err
	}
	from := Report{x.Progress, x.Health, x.HealthNote}
	to := from
	if c.Health != nil && c.Note == nil {
		to.Note = "" // a note belongs to the health it was given with
	}
	set(&to.Percent, c.Percent)
	set(&to.Health, c.Health)
	set(&to.Note, c.Note)
	return x.event(MilestoneProgressed{To: to, From: from}), nil
}

func (c ReportProgress) faults() (f faults) {
	switch {
	case c.Private && c.Percent != nil:
		f.add("percent", "is the owner's shared word; a private report has health and note")
	case c.Private && c.Health == nil && c.Note == nil:
		f.add("health", "give health or note")
	case c.Percent == nil && c.Health == nil && c.Note == nil:
		f.add("percent", "give percent, health or note")
	}
	if c.Percent != nil {
		f.between("percent", *c.Percent, 0, 100)
	}
	if c.Health != nil && !slices.Contains(Healths(), *c.Health) {
		f.add("health", "%q is neither green, amber nor red", *c.Health)
	}
	if c.Note != nil {
		f.text("note", *c.Note, 2000, false)
	}
	return f
}

func (e MilestoneProgressed) apply(w *World, h Header) {
	x := h.edit(w)
	x.Progress, x.Health, x.HealthNote = e.To.Percent, e.To.Health, e.To.Note
}

// MoveForecast sets the acting partner's forecast: the one that all who see the milestone see, or its
// private one, which stays private when a private milestone is shared.
type MoveForecast struct {
	Ref     MilestoneRef `json:"ref"`
	On      Date         `json:"on"`
	Reason  string       `json:"reason,omitempty"`
	Private bool         `json:"private,omitempty"`
}

// ForecastMoved carries the forecast after and before; From is zero for the first one.
type ForecastMoved struct {
	To      Forecast `json:"to"`
	From    Date     `json:"from,omitzero"`
	Private bool     `json:"private,omitempty"`
}

// Stream implements Command.
func (c MoveForecast) Stream() Stream { return streamOf(c.Ref) }

func (c MoveForecast) target(s State) *Seen { return seenOf(s.Milestone(c.Ref)) }

func (c MoveForecast) decide(s State, m Meta) ([]Event, error) {
	x, err := find(s, c.Ref, m)
	if err != nil {
		return nil, err
	}
	from := x.Forecast(m.Actor.Partner).On
	if c.Private {
		from = x.PrivateForecast(m.Actor.Partner).On
	}
	var f faults
	f.date("on", c.On)
	f.text("reason", c.Reason, 2000, from != 0)
	if err := f.err(); err != nil {
		return nil, err
	}
	if err := m.manager(); err != nil {
		return nil, err
	}
	if err := x.in(Planned, InProgress, Delivered, ConditionallyAccepted, Disputed); err != nil {
		return nil, err
	}
	events := x.event(ForecastMoved{To: Forecast{m.Actor.Partner, c.On, c.Reason}, From: from, Private: c.Private})
	if c.Private {
		events[0].Audience = PrivateTo(m.Actor.Partner)
	}
	return events, nil
}

func (e ForecastMoved) apply(w *World, h Header) {
	x := h.edit(w)
	key := func(f Forecast) string { return string(f.Partner) }
	if e.Private {
		x.Private = put(x.Private, e.To, key)
		return
	}
	x.Forecasts = put(x.Forecasts, e.To, key)
}

// CommentMilestone says something about a milestone, to all who see it or to one's own partner.
type CommentMilestone struct {
	Ref     MilestoneRef `json:"ref"`
	Text    string       `json:"text"`
	Private bool         `json:"private,omitempty"`
}

// MilestoneCommented changes nothing but the history.
type MilestoneCommented struct {
	Text string `json:"text"`
}

// Stream implements Command.
func (c CommentMilestone) Stream() Stream { return streamOf(c.Ref) }

func (c CommentMilestone) target(s State) *Seen { return seenOf(s.Milestone(c.Ref)) }

func (c CommentMilestone) decide(s State, m Meta) ([]Event, error) {
	x, err := find(s, c.Ref, m)
	if err != nil {
		return nil, err
	}
	var f faults
	f.text("text", c.Text, 10000, true)
	if err := f.err(); err != nil {
		return nil, err
	}
	if err := m.manager(); err != nil {
		return nil, err
	}
	events := x.event(MilestoneCommented{c.Text})
	if c.Private {
		events[0].Audience = PrivateTo(m.Actor.Partner)
	}
	return events, nil
}

func (MilestoneCommented) apply(w *World, h Header) { h.edit(w) }
