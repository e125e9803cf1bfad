package domain

import (
	"fmt"
	"slices"
)

// CheckResult is the result of checking a criterion.
type CheckResult string

// The results of a check.
const (
	CriterionMet    CheckResult = "met"
	CriterionNotMet CheckResult = "not_met"
)

// CheckResults returns all values.
func CheckResults() []CheckResult { return []CheckResult{CriterionMet, CriterionNotMet} }

// CriterionCheck is one partner's result for one criterion of the present plan. The owner and each acceptor have
// their own results, which never replace an acceptance. They are dropped when the criteria change.
type CriterionCheck struct {
	Number   int // of the criterion, from 1
	Partner  PartnerID
	Result   CheckResult
	On       Date
	Round    int // number of deliveries at the time of the check
	Note     string
	Evidence []Evidence
}

func (c CriterionCheck) key() string { return fmt.Sprintf("%03d/%s", c.Number, c.Partner) }

// CheckCriterion sets the acting partner's result for one criterion.
type CheckCriterion struct {
	MilestoneRef `json:"ref"`
	Number       int         `json:"number"`
	Result       CheckResult `json:"result"`
	Note         string      `json:"note,omitempty"`
	Evidence     []Evidence  `json:"evidence,omitempty"`
}

// CriterionChecked carries the new and the previous result of one partner.
type CriterionChecked struct {
	Number   int         `json:"number"`
	Text     string      `json:"text"`
	Partner  PartnerID   `json:"partner"`
	Result   CheckResult `json:"result"`
	From     CheckResult `json:"from,omitempty"`
	Round    int         `json:"round"`
	On       Date        `json:"on"`
	Note     string      `json:"note,omitempty"`
	Evidence []Evidence  `json:"evidence,omitempty"`
}

func (c CheckCriterion) decide(state State, dc DecisionContext) ([]Event, error) {
	milestone, err := findMilestone(state, c.MilestoneRef, dc)
	if err != nil {
		return nil, err
	}
	if err := c.validate().err(); err != nil {
		return nil, err
	}
	if err := dc.requireManager(); err != nil {
		return nil, err
	}
	if !slices.Contains(milestone.DisputeParties(), dc.Actor.Partner) {
		return nil, forbidden("not_concerned", "Only the owner and the acceptors can check the criteria; %s is neither.", dc.Actor.Partner)
	}
	if err := milestone.requireState(InProgress, Delivered, ConditionallyAccepted); err != nil {
		return nil, err
	}
	if c.Number > len(milestone.Plan.Criteria) {
		return nil, conflict("no_such_criterion", "Milestone %s has no criterion %d.", milestone.Ref.Milestone, c.Number)
	}
	event := CriterionChecked{
		Number: c.Number, Text: milestone.Plan.Criteria[c.Number-1], Partner: dc.Actor.Partner, Result: c.Result,
		Round: milestone.Round, On: milestone.today(dc), Note: c.Note, Evidence: c.Evidence,
	}
	for _, check := range milestone.Checks {
		if check.Number == c.Number && check.Partner == dc.Actor.Partner {
			event.From = check.Result
		}
	}
	return milestone.event(event), nil
}

func (c CheckCriterion) validate() (check validation) {
	if c.Number < 1 {
		check.add("number", "%d is not a criterion number; they start at 1", c.Number)
	}
	if !slices.Contains(CheckResults(), c.Result) {
		check.add("result", "%q is unknown; use met or not_met", c.Result)
	}
	check.text("note", c.Note, 2000, false)
	check.evidenceLists(c.Evidence)
	return check
}

func (e CriterionChecked) apply(world *World, header Header) {
	milestone := header.editMilestone(world)
	milestone.Checks = upsert(milestone.Checks, CriterionCheck{e.Number, e.Partner, e.Result, e.On, e.Round, e.Note, e.Evidence}, CriterionCheck.key)
}

// dropChecks drops the results of checks if the criteria have changed.
func (m *Milestone) dropChecks(from, to []string) {
	if !slices.Equal(from, to) {
		m.Checks = nil
	}
}
