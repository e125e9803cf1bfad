package api

import (
	"tandem/domain"
)

// Instrument is one legal part of an agreement, as far as the caller may see it.
type Instrument struct {
	Creation
	Agreement   domain.AgreementID                     `json:"agreement"`
	ID          *domain.InstrumentID                   `json:"id" doc:"null unless detail is full or summary."`
	Detail      domain.Detail                          `json:"detail" enum:"full,summary,kind" doc:"How much the caller sees. full: its partner has a role or an obligation in the instrument, or the kind has no roles. summary: id, kind, title and roles of a disclosed instrument. kind: only that an undisclosed instrument of this kind exists. What is not shown is null or empty."`
	Kind        domain.InstrumentKind                  `json:"kind" enum:"collaboration,patent_cross_licence,patent_assignment,supply,joint_development,exploration"`
	Title       *string                                `json:"title"`
	Roles       map[domain.RoleName][]domain.PartnerID `json:"roles"`
	EffectiveOn *domain.Date                           `json:"effective_on"`
	ExpiresOn   *domain.Date                           `json:"expires_on" doc:"null unless the term is fixed."`
	Term        *domain.TermKind                       `json:"term" enum:"fixed,open_ended,undisclosed" doc:"null: the caller does not see the dates."`
	Disclosure  domain.Disclosure                      `json:"disclosure" enum:"disclosed,undisclosed"`
	Schedule    []ScheduleItem                         `json:"schedule"`
	Obligations []Obligation                           `json:"obligations"`
	Documents   []Document                             `json:"documents" doc:"The documents on paper; part of the terms."`
	TermsSHA256 *string                                `json:"terms_sha256" doc:"SHA-256 of its canonical form, GET /v1/agreements/{agreement}/terms?part=…; null: the caller does not see all of it."`
	PrivateNote string                                 `json:"private_note" doc:"The note of the caller's partner, visible to that partner only."`
	URL         *string                                `json:"url" format:"uri"`
}

// Instruments lists an agreement's instruments in the order of adding.
type Instruments struct {
	Agreement   domain.AgreementID `json:"agreement"`
	Instruments []Instrument       `json:"instruments"`
	NextCursor  *string            `json:"next_cursor"`
}

// ScheduleItem is a line of an instrument's annex.
type ScheduleItem struct {
	ID         domain.ItemID      `json:"id"`
	Title      string             `json:"title"`
	Kind       string             `json:"kind"`
	Count      *int               `json:"count" doc:"The same as quantity."`
	Note       string             `json:"note"`
	State      domain.ItemState   `json:"state" enum:"planned,delivered,recorded" doc:"recorded if it is recorded, else delivered if it is delivered in full, else planned. The dates show both facts."`
	Milestones []ServingMilestone `json:"milestones" doc:"Milestones that serve the item, as far as the caller may see them."`
	ItemFacts
}

// ItemFacts are the quantities of a schedule item, and what has been stated about it.
type ItemFacts struct {
	Quantity          *int         `json:"quantity" doc:"As agreed; null if none is: the item is delivered as a whole."`
	Unit              string       `json:"unit"`
	DeliveredQuantity *int         `json:"delivered_quantity" doc:"So far; null without an agreed quantity."`
	DeliveredOn       *domain.Date `json:"delivered_on" doc:"When it was delivered in full, as its deliverer states."`
	Office            string       `json:"office" doc:"Patent office, as recorded, or else as agreed."`
	Number            string       `json:"number" doc:"Application, publication or registration number of a patent, as recorded, or else as agreed."`
	RecordedOn        *domain.Date `json:"recorded_on" doc:"When the patent office recorded the assignment, as the assignee states."`
	OldHolder         string       `json:"old_holder"`
	NewHolder         string       `json:"new_holder"`
}

// ServingMilestone is a milestone that names a schedule item or a clause.
type ServingMilestone struct {
	Project   domain.ProjectID      `json:"project"`
	Milestone domain.MilestoneID    `json:"milestone"`
	State     domain.MilestoneState `json:"state" enum:"planned,in_progress,delivered,conditionally_accepted,accepted,completed,disputed,waived,cancelled"`
}

// Obligation is a duty of one partner under a clause of an instrument.
type Obligation struct {
	Clause     string             `json:"clause"`
	Text       string             `json:"text"`
	Partner    domain.PartnerID   `json:"partner" doc:"The partner that owes it."`
	State      string             `json:"state" enum:"open,fulfilled" doc:"fulfilled: at least one of the visible shared milestones that name it is accepted and none is open."`
	Milestones []ServingMilestone `json:"milestones" doc:"Milestones that name the clause, as far as the caller may see them."`
}

// NewInstrument is the body that adds an instrument.
type NewInstrument struct {
	ID          domain.InstrumentID                    `json:"id,omitempty" doc:"Default: derived from the title, with a suffix if letters would be lost or the id is taken."`
	Kind        domain.InstrumentKind                  `json:"kind" enum:"collaboration,patent_cross_licence,patent_assignment,supply,joint_development,exploration"`
	Title       string                                 `json:"title" maxLength:"200"`
	Roles       map[domain.RoleName][]domain.PartnerID `json:"roles,omitempty" doc:"licensors; assignor and assignee; supplier and customer."`
	EffectiveOn domain.Date                            `json:"effective_on"`
	ExpiresOn   domain.Date                            `json:"expires_on,omitzero" nullable:"true" doc:"Not after the agreement's."`
	Term        domain.TermKind                        `json:"term,omitempty" enum:"fixed,open_ended,undisclosed" doc:"Default: fixed with expires_on, otherwise open_ended."`
	Disclosure  domain.Disclosure                      `json:"disclosure" enum:"disclosed,undisclosed"`
	Schedule    []domain.ScheduleItem                  `json:"schedule,omitempty"`
	Obligations []domain.Obligation                    `json:"obligations,omitempty" maxItems:"200" doc:"Duties by clause and partner."`
	Documents   []DocumentInput                        `json:"documents,omitempty" maxItems:"50" doc:"The documents on paper, with http or https addresses and optional SHA-256; part of the terms."`
}

// InstrumentChange is the body that edits an instrument of a draft, or changes the own partner's note on it; absent
// fields stay. Signed instruments change by an amendment.
type InstrumentChange struct {
	PrivateNote *string                                 `json:"private_note,omitempty" maxLength:"10000" doc:"An empty note removes it. Possible at any time, in a request without other fields."`
	Kind        *domain.InstrumentKind                  `json:"kind,omitempty" enum:"collaboration,patent_cross_licence,patent_assignment,supply,joint_development,exploration"`
	Title       *string                                 `json:"title,omitempty" maxLength:"200"`
	Roles       *map[domain.RoleName][]domain.PartnerID `json:"roles,omitempty" doc:"licensors; assignor and assignee; supplier and customer."`
	EffectiveOn *domain.Date                            `json:"effective_on,omitempty"`
	ExpiresOn   *domain.Date                            `json:"expires_on,omitempty" nullable:"true"`
	Term        *domain.TermKind                        `json:"term,omitempty" enum:"fixed,open_ended,undisclosed"`
	Disclosure  *domain.Disclosure                      `json:"disclosure,omitempty" enum:"disclosed,undisclosed"`
	Schedule    *[]domain.ScheduleItem                  `json:"schedule,omitempty" doc:"All items."`
	Obligations *[]domain.Obligation                    `json:"obligations,omitempty" maxItems:"200" doc:"All duties by clause and partner."`
	Documents   *[]DocumentInput                        `json:"documents,omitempty" maxItems:"50" doc:"All. The documents on paper, with http or https addresses and optional SHA-256; part of the terms."`
}

// ItemChange is the body that states the delivery or the recordation of a schedule item.
type ItemChange struct {
	State     domain.ItemState `json:"state" enum:"delivered,recorded" doc:"delivered: stated by a supplier, assignor or licensor, or by any party if the kind has no roles. recorded: stated by the assignee of a patent_assignment. Neither is taken back."`
	On        domain.Date      `json:"on,omitzero" doc:"Not in the future. Default: today in the partner's time zone."`
	Quantity  int              `json:"quantity,omitempty" minimum:"1" doc:"Delivered now, of an item with an agreed quantity. Default: all that remains."`
	Office    string           `json:"office,omitempty" maxLength:"200" doc:"Of a recordation. Default: as agreed."`
	Number    string           `json:"number,omitempty" maxLength:"200" doc:"Of a recordation. Default: as agreed."`
	OldHolder string           `json:"old_holder,omitempty" maxLength:"200" doc:"Of a recordation. Default: as agreed."`
	NewHolder string           `json:"new_holder,omitempty" maxLength:"200" doc:"Of a recordation. Default: as agreed."`
}
