package projections

import (
	"slices"
	"strings"
	"time"

	"tandem/domain"
)

// Dates are a milestone's dates side by side, each with its moves, oldest first: what the viewer has seen
// of them. Who joined, or was shown the milestone, sees the moves from then on.
type Dates struct {
	Milestone    domain.MilestoneID    `json:"milestone"`
	Title        string                `json:"title"`
	Owner        domain.PartnerID      `json:"owner"`
	State        domain.MilestoneState `json:"state" enum:"planned,in_progress,delivered,conditionally_accepted,accepted,disputed,waived,cancelled"`
	DueOn        domain.Date           `json:"due_on" doc:"The baseline once agreed, the proposed date before."`
	BaselineOn   *domain.Date          `json:"baseline_on"`
	VarianceDays *int                  `json:"variance_days" doc:"Actual, else the owner's forecast, minus baseline, in days; null without a baseline."`
	Proposed     []ProposedDate        `json:"proposed" doc:"By change requests that are open."`
	Agreed       []AgreedDate          `json:"agreed"`
	Planned      []PlannedDate         `json:"planned" doc:"Before a baseline was agreed."`
	Forecasts    []ForecastDate        `json:"forecasts"`
	Actual       []ActualDate          `json:"actual" doc:"By round."`
	Omitted      int                   `json:"omitted" doc:"Moves that are left out here because each list tells the last 100; the history has them."`
}

// ProposedDate is a due date that waits for approval.
type ProposedDate struct {
	Change     int              `json:"change"`
	By         domain.PartnerID `json:"by"`
	DueOn      domain.Date      `json:"due_on"`
	Reason     string           `json:"reason"`
	ProposedAt time.Time        `json:"proposed_at"`
}

// AgreedDate is a baseline that was set or moved.
type AgreedDate struct {
	On       domain.Date  `json:"on"`
	From     *domain.Date `json:"from" doc:"null: it is the first."`
	Change   int          `json:"change"`
	Reason   string       `json:"reason"`
	AgreedAt time.Time    `json:"agreed_at"`
}

// PlannedDate is a due date that the owner set.
type PlannedDate struct {
	On   domain.Date  `json:"on"`
	From *domain.Date `json:"from" doc:"null: it is the first that the caller sees."`
	At   time.Time    `json:"at"`
}

// ForecastDate is one partner's expectation.
type ForecastDate struct {
	Partner domain.PartnerID `json:"partner"`
	On      domain.Date      `json:"on"`
	From    *domain.Date     `json:"from"`
	Reason  string           `json:"reason"`
	At      time.Time        `json:"at"`
	Private bool             `json:"private" doc:"The caller's own; only its partner sees it."`
}

// ActualDate is what became of a delivery.
type ActualDate struct {
	Round       int          `json:"round"`
	DeliveredOn *domain.Date `json:"delivered_on" doc:"null: the caller sees the milestone only since later."`
	AcceptedOn  *domain.Date `json:"accepted_on"`
	RejectedOn  *domain.Date `json:"rejected_on"`
	Reasons     []string     `json:"reasons" doc:"Of the rejection."`
	Withdrawn   bool         `json:"withdrawn" doc:"The owner took the delivery back."`
	At          time.Time    `json:"at" doc:"When the delivery was recorded."`
}

// Trend is one page of the dates of a project's milestones, sorted by due date and id.
type Trend struct {
	Agreement  domain.AgreementID `json:"agreement"`
	Project    domain.ProjectID   `json:"project"`
	AsOf       *time.Time         `json:"as_of"`
	Milestones []Dates            `json:"milestones"`
	NextCursor *string            `json:"next_cursor"`
}

// Dates returns the dates of a milestone.
func (v *View) Dates(ref domain.MilestoneRef) (Dates, bool) {
	m := v.milestone(ref)
	if m == nil {
		return Dates{}, false
	}
	return v.datesShape(m), true
}

// Trend returns a page of the dates of the milestones that the viewer may see, as Milestones does.
func (v *View) Trend(q MilestoneQuery) ([]Dates, *string, error) {
	return listed(v, q, v.datesShape)
}

// mostDates is how many moves each list of a milestone tells.
const mostDates = 100

func (v *View) datesShape(n *milestoneNode) Dates {
	m, p := n.entity, n.project.entity
	d := Dates{
		Milestone: m.Ref.Milestone, Title: m.Plan.Title, Owner: m.Plan.Owner, State: m.State,
		DueOn: m.Plan.DueOn, BaselineOn: orNull(m.BaselineOn), VarianceDays: variance(m), Proposed: proposedDates(m, p),
	}
	r := n.project.agreement.root
	x := r.seers[v.who.Partner]
	if x != nil {
		for note := range notesOf(n.notes) {
			if at := r.refs[note.place]; x.sees[at.Audience] {
				d.add(note, time.UnixMicro(at.At).UTC(), p)
			}
		}
	}
	d.Agreed, d.Planned = last(d.Agreed, &d.Omitted), last(d.Planned, &d.Omitted)
	d.Forecasts, d.Actual = last(d.Forecasts, &d.Omitted), last(d.Actual, &d.Omitted)
	return d
}

// last returns the end of a list, and counts what is left out.
func last[T any](all []T, omitted *int) []T {
	n := max(0, len(all)-mostDates)
	*omitted += n
	return list(all[n:])
}

func proposedDates(m *domain.Milestone, p *domain.Project) []ProposedDate {
	dates := []ProposedDate{}
	for _, c := range p.Changes {
		for _, x := range c.Milestones {
			if c.State == domain.ChangeOpen && x.Milestone == m.Ref.Milestone && x.To.DueOn != 0 {
				dates = append(dates, ProposedDate{c.Number, c.By, x.To.DueOn, c.Reason, time.UnixMicro(c.ProposedAt).UTC()})
			}
		}
	}
	return dates
}

// add takes over a note that the viewer may see.
func (d *Dates) add(x note, at time.Time, p *domain.Project) {
	switch x.kind {
	case notePlanned, notePlannedCopy:
		if x.kind == notePlanned || len(d.Planned) == 0 {
			d.Planned = append(d.Planned, PlannedDate{x.on, orNull(x.from), at})
		}
	case noteAgreed:
		reason := ""
		if c := p.Change(x.n); c != nil {
			reason = c.Reason
		}
		d.Agreed = append(d.Agreed, AgreedDate{x.on, orNull(x.from), x.n, reason, at})
	case noteForecast, noteForecastCopy, notePrivateForecast:
		known := x.kind == noteForecastCopy && slices.ContainsFunc(d.Forecasts, func(f ForecastDate) bool { return f.Partner == x.who && !f.Private })
		if !known {
			d.Forecasts = append(d.Forecasts, ForecastDate{x.who, x.on, orNull(x.from), x.words, at, x.kind == notePrivateForecast})
		}
	default:
		d.round(x, at)
	}
}

// round takes over what became of a delivery.
func (d *Dates) round(x note, at time.Time) {
	if n := len(d.Actual); n == 0 || d.Actual[n-1].Round != x.n {
		d.Actual = append(d.Actual, ActualDate{Round: x.n, Reasons: []string{}, At: at})
	}
	a := &d.Actual[len(d.Actual)-1]
	switch x.kind {
	case noteDelivered:
		a.DeliveredOn = &x.on
	case noteWithdrawn:
		a.Withdrawn = true
	case noteRejected:
		a.RejectedOn, a.Reasons = &x.on, strings.Split(x.words, reasonsMark)
	case noteAccepted:
		a.AcceptedOn = &x.on
	}
}
