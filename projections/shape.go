package projections

import (
	"encoding/json"
	"time"

	"tandem/domain"
)

// The shapes are what the API answers, as one partner sees it. Dates are civil dates, null for
// none; instants are RFC 3339 in UTC with microseconds.

// Milestone is a dated result that one partner owns and others accept.
type Milestone struct {
	Agreement         domain.AgreementID               `json:"agreement"`
	Project           domain.ProjectID                 `json:"project"`
	ID                domain.MilestoneID               `json:"id"`
	Title             string                           `json:"title"`
	Description       string                           `json:"description"`
	Owner             domain.PartnerID                 `json:"owner"`
	Acceptors         []domain.PartnerID               `json:"acceptors"`
	State             domain.MilestoneState            `json:"state" enum:"planned,in_progress,delivered,conditionally_accepted,accepted,disputed,waived,cancelled"`
	Health            *domain.Health                   `json:"health" enum:"green,amber,red" doc:"Declared by the owner; null before the first report."`
	HealthNote        string                           `json:"health_note"`
	PrivateHealth     *domain.Health                   `json:"private_health" enum:"green,amber,red" doc:"The caller's own assessment, seen by its partner only; null without one."`
	PrivateHealthNote string                           `json:"private_health_note"`
	Progress          int                              `json:"progress" minimum:"0" maximum:"100" doc:"Percent, as the owner reports it."`
	DueOn             domain.Date                      `json:"due_on" doc:"The baseline once agreed, the proposed date before."`
	BaselineOn        *domain.Date                     `json:"baseline_on" doc:"The agreed date; null until one is agreed."`
	Forecasts         map[domain.PartnerID]domain.Date `json:"forecasts" doc:"Each participant's shared forecast."`
	PrivateForecast   *domain.Date                     `json:"private_forecast" doc:"The caller's own, seen by its partner only."`
	Disagreement      bool                             `json:"disagreement" doc:"The forecasts are further apart than the agreement tolerates."`
	VarianceDays      *int                             `json:"variance_days" doc:"Actual, else the owner's forecast, minus baseline, in days; null without a baseline."`
	Overdue           bool                             `json:"overdue" doc:"Not delivered, and due before today in the owner's zone."`
	DeliveredOn       *domain.Date                     `json:"delivered_on"`
	AcceptedOn        *domain.Date                     `json:"accepted_on"`
	Acceptance        Acceptance                       `json:"acceptance"`
	WaivedBy          []domain.PartnerID               `json:"waived_by" doc:"The acceptors that have waived it so far."`
	DependsOn         []Dependency                     `json:"depends_on"`
	Criteria          []string                         `json:"criteria"`
	Target            *Target                          `json:"target"`
	Instrument        *domain.InstrumentID             `json:"instrument"`
	ScheduleItem      *domain.ItemID                   `json:"schedule_item"`
	Audience          domain.Audience                  `json:"audience" doc:"shared, private:<partner>, or public: everybody sees its title, owner, acceptors, state and dates."`
	Clause            *string                          `json:"clause" doc:"Of the instrument: the obligation that it serves."`
	Version           uint64                           `json:"version" doc:"Counts the events about it that the caller may see."`
	UpdatedAt         time.Time                        `json:"updated_at"`
	URL               string                           `json:"url" format:"uri"`
}

// Acceptance is the present round of a milestone.
type Acceptance struct {
	Round           int                           `json:"round" doc:"Deliveries so far."`
	DecideBy        *domain.Date                  `json:"decide_by" doc:"The earliest deadline of those who still decide."`
	WorkingDaysLeft *int                          `json:"working_days_left"`
	Decisions       map[domain.PartnerID]Decision `json:"decisions"`
	Evidence        []Evidence                    `json:"evidence" doc:"Of the last delivery, unless it was withdrawn, as far as the caller may see it."`
	Conditions      []Condition                   `json:"conditions" doc:"Of this round; numbers are given once in a milestone's life."`
	Rejection       *Rejection                    `json:"rejection" doc:"What ended the last round, until it is delivered again; null if no rejection did."`
	Dispute         *Dispute                      `json:"dispute" doc:"null unless the milestone is disputed."`
}

// Evidence supports a delivery.
type Evidence struct {
	Title    string          `json:"title"`
	URL      string          `json:"url" format:"uri"`
	SHA256   *string         `json:"sha256" doc:"Lower-case hexadecimal."`
	Audience domain.Audience `json:"audience" doc:"shared, or private:<partner>."`
}

// Decision is one acceptor's.
type Decision struct {
	State     string       `json:"state" enum:"none,pending,accepted,conditional,rejected,deemed"`
	DecideBy  *domain.Date `json:"decide_by"`
	DecidedOn *domain.Date `json:"decided_on"`
}

// Condition is what a conditional acceptance asks for.
type Condition struct {
	Number   int              `json:"number"`
	Text     string           `json:"text"`
	DueOn    domain.Date      `json:"due_on"`
	Author   domain.PartnerID `json:"author" doc:"The acceptor that asks for it; it alone closes it."`
	Closed   bool             `json:"closed"`
	ClosedOn *domain.Date     `json:"closed_on"`
}

// Rejection is an acceptor's no.
type Rejection struct {
	Partner    domain.PartnerID `json:"partner"`
	On         domain.Date      `json:"on"`
	Reasons    []string         `json:"reasons"`
	Disputable bool             `json:"disputable" doc:"The owner may dispute it now."`
	DisputeBy  *domain.Date     `json:"dispute_by" doc:"The last day, in UTC, on which the owner may dispute it; null: no limit."`
}

// Dispute is the owner's word against a rejection.
type Dispute struct {
	By     domain.PartnerID                        `json:"by"`
	On     domain.Date                             `json:"on"`
	Reason string                                  `json:"reason"`
	Named  map[domain.PartnerID]*domain.Settlement `json:"named" doc:"The outcome, accepted or rejected, that the owner and each acceptor wants; null for one that has named none."`
}

// Dependency names a milestone that must be accepted before.
type Dependency struct {
	Project   domain.ProjectID   `json:"project"`
	Milestone domain.MilestoneID `json:"milestone"`
}

// Target is a measured value to reach.
type Target struct {
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

// MilestoneRef points to a milestone.
type MilestoneRef struct {
	Agreement domain.AgreementID `json:"agreement"`
	Project   domain.ProjectID   `json:"project"`
	Milestone domain.MilestoneID `json:"milestone"`
	DueOn     domain.Date        `json:"due_on"`
}

// Milestones is one page of a list of milestones, sorted by due date, agreement, project and id.
type Milestones struct {
	Partner    domain.PartnerID `json:"partner"`
	AsOf       *time.Time       `json:"as_of"`
	Milestones []Milestone      `json:"milestones"`
	NextCursor *string          `json:"next_cursor"`
}

// Counts counts milestones by state and by declared health.
type Counts struct {
	State  map[domain.MilestoneState]int `json:"state"`
	Health map[domain.Health]int         `json:"health"`
}

// Status is the state of all that one partner may see.
type Status struct {
	Partner            domain.PartnerID `json:"partner"`
	AsOf               *time.Time       `json:"as_of"`
	Counts             Counts           `json:"counts"`
	Overdue            int              `json:"overdue"`
	AwaitingMyDecision int              `json:"awaiting_my_decision" doc:"Items of the inbox that wait for a decision of the partner's: all but notices, and conditions that it has to meet."`
	NextDue            *MilestoneRef    `json:"next_due" doc:"The earliest milestone that is not delivered yet and not overdue."`
	Projects           []ProjectStatus  `json:"projects"`
}

// ProjectStatus is the state of one project.
type ProjectStatus struct {
	Agreement          domain.AgreementID `json:"agreement"`
	Project            domain.ProjectID   `json:"project"`
	Title              string             `json:"title"`
	Stage              domain.Stage       `json:"stage"`
	Counts             Counts             `json:"counts"`
	Overdue            int                `json:"overdue"`
	AwaitingMyDecision int                `json:"awaiting_my_decision" doc:"Items of the inbox that wait for a decision of the partner's: all but notices, and conditions that it has to meet."`
	NextDue            *MilestoneRef      `json:"next_due"`
}

// InboxItem is something that waits for the partner.
type InboxItem struct {
	Kind            string              `json:"kind" enum:"acceptance,change,signature,amendment,stage,condition,dispute,notice"`
	Agreement       *domain.AgreementID `json:"agreement" doc:"Null with a notice, which is about the partner's own directory."`
	Project         *domain.ProjectID   `json:"project"`
	Milestone       *domain.MilestoneID `json:"milestone"`
	Change          *int                `json:"change"`
	Amendment       *int                `json:"amendment" doc:"The number of the amendment, with kind amendment."`
	Condition       *int                `json:"condition" doc:"The number of the condition, with kind condition."`
	Notice          *domain.NoticeID    `json:"notice" doc:"The id by which a manager dismisses it, with kind notice."`
	Title           string              `json:"title"`
	Reason          string              `json:"reason"`
	Since           time.Time           `json:"since"`
	DecideBy        *domain.Date        `json:"decide_by"`
	WorkingDaysLeft *int                `json:"working_days_left"`
	URL             string              `json:"url" format:"uri"`

	mustMeet bool // the condition is one that the viewer has to meet
}

// Inbox is what waits for the partner, oldest first.
type Inbox struct {
	Partner    domain.PartnerID `json:"partner"`
	Items      []InboxItem      `json:"items"`
	NextCursor *string          `json:"next_cursor"`
}

// Project is joint work under an agreement.
type Project struct {
	Agreement    domain.AgreementID                      `json:"agreement"`
	ID           domain.ProjectID                        `json:"id"`
	Title        string                                  `json:"title"`
	Description  string                                  `json:"description"`
	Area         string                                  `json:"area"`
	Stage        domain.Stage                            `json:"stage" enum:"exploring,committed,active,paused,completed,stopped"`
	Lead         domain.PartnerID                        `json:"lead"`
	Participants []domain.PartnerID                      `json:"participants"`
	Instrument   *domain.InstrumentID                    `json:"instrument"`
	DecideBy     *domain.Date                            `json:"decide_by"`
	Pending      map[domain.StageMove][]domain.PartnerID `json:"pending" doc:"Who has called what, of the moves that take every participant."`
	Version      uint64                                  `json:"version"`
	UpdatedAt    time.Time                               `json:"updated_at"`
	URL          string                                  `json:"url" format:"uri"`
}

// Projects is one page of an agreement's projects, sorted by id.
type Projects struct {
	Agreement  domain.AgreementID `json:"agreement"`
	AsOf       *time.Time         `json:"as_of"`
	Projects   []Project          `json:"projects"`
	NextCursor *string            `json:"next_cursor"`
}

// Signature is one party's.
type Signature struct {
	Signatory string      `json:"signatory"`
	SignedOn  domain.Date `json:"signed_on"`
}

// Agreement is the signed umbrella between partners.
type Agreement struct {
	ID                    domain.AgreementID               `json:"id"`
	Title                 string                           `json:"title"`
	State                 domain.AgreementState            `json:"state" enum:"draft,active,expired,terminated"`
	Parties               []domain.PartnerID               `json:"parties"`
	EffectiveOn           domain.Date                      `json:"effective_on"`
	ExpiresOn             *domain.Date                     `json:"expires_on"`
	AcceptanceDays        int                              `json:"acceptance_days"`
	DeemedAcceptance      bool                             `json:"deemed_acceptance"`
	ForecastToleranceDays int                              `json:"forecast_tolerance_days"`
	Signatures            map[domain.PartnerID]*Signature  `json:"signatures" doc:"Every party; null for one that has not signed."`
	Termination           *Termination                     `json:"termination" doc:"An end that is set, or is called and not by all yet; null if there is none."`
	Notices               map[domain.PartnerID]GivenNotice `json:"notices" doc:"The parties that leave, or have left."`
	Version               uint64                           `json:"version"`
	UpdatedAt             time.Time                        `json:"updated_at"`
	URL                   string                           `json:"url" format:"uri"`
}

// Agreements is one page of a partner's agreements, sorted by id.
type Agreements struct {
	AsOf       *time.Time  `json:"as_of"`
	Agreements []Agreement `json:"agreements"`
	NextCursor *string     `json:"next_cursor"`
}

// Instrument is one legal part of an agreement.
type Instrument struct {
	Agreement   domain.AgreementID                     `json:"agreement"`
	ID          domain.InstrumentID                    `json:"id"`
	Kind        domain.InstrumentKind                  `json:"kind" enum:"collaboration,patent_cross_licence,patent_assignment,supply,joint_development,exploration"`
	Title       string                                 `json:"title"`
	Roles       map[domain.RoleName][]domain.PartnerID `json:"roles"`
	EffectiveOn domain.Date                            `json:"effective_on"`
	ExpiresOn   *domain.Date                           `json:"expires_on"`
	Disclosure  domain.Disclosure                      `json:"disclosure" enum:"disclosed,undisclosed"`
	Schedule    []ScheduleItem                         `json:"schedule"`
	Obligations []Obligation                           `json:"obligations"`
	PrivateNote string                                 `json:"private_note" doc:"The caller's own, seen by its partner only."`
	URL         string                                 `json:"url" format:"uri"`
}

// ScheduleItem is a line of an instrument's annex.
type ScheduleItem struct {
	ID         domain.ItemID      `json:"id"`
	Title      string             `json:"title"`
	Kind       string             `json:"kind"`
	Count      *int               `json:"count" doc:"As reported; null if not known."`
	Note       string             `json:"note"`
	State      domain.ItemState   `json:"state" enum:"planned,delivered,recorded"`
	Milestones []ServingMilestone `json:"milestones" doc:"Those that name the item, as far as the caller may see them."`
}

// Instruments lists an agreement's instruments in the order of adding.
type Instruments struct {
	Agreement   domain.AgreementID `json:"agreement"`
	Instruments []Instrument       `json:"instruments"`
	NextCursor  *string            `json:"next_cursor"`
}

// Partner is an organisation that is party to agreements.
type Partner struct {
	ID        domain.PartnerID `json:"id"`
	Name      string           `json:"name"`
	Country   string           `json:"country"`
	TimeZone  string           `json:"time_zone"`
	Holidays  []domain.Date    `json:"holidays" doc:"Own days off; only the partner itself and the operator see them."`
	Version   uint64           `json:"version"`
	UpdatedAt time.Time        `json:"updated_at"`
	URL       string           `json:"url" format:"uri"`
}

// Partners lists oneself and the counterparties, sorted by id.
type Partners struct {
	Partners   []Partner `json:"partners"`
	NextCursor *string   `json:"next_cursor"`
}

// Member is a person of a partner.
type Member struct {
	Partner   domain.PartnerID `json:"partner"`
	ID        domain.MemberID  `json:"id"`
	Name      string           `json:"name"`
	Email     string           `json:"email"`
	Role      domain.Role      `json:"role" enum:"manager,viewer"`
	Version   uint64           `json:"version"`
	UpdatedAt time.Time        `json:"updated_at"`
}

// Members is one page of a partner's members, sorted by id.
type Members struct {
	Partner    domain.PartnerID `json:"partner"`
	Members    []Member         `json:"members"`
	NextCursor *string          `json:"next_cursor"`
}

// Token is a bearer token; its secret is shown only once, when it is issued.
type Token struct {
	Partner     domain.PartnerID     `json:"partner"`
	ID          domain.TokenID       `json:"id"`
	Name        string               `json:"name"`
	Member      domain.MemberID      `json:"member"`
	Role        domain.Role          `json:"role" enum:"manager,viewer"`
	ExpiresAt   *time.Time           `json:"expires_at"`
	Agreements  []domain.AgreementID `json:"agreements" doc:"Empty: all of the partner's."`
	ViaOperator bool                 `json:"via_operator" doc:"The operator issued it, or a token that the operator issued."`
	Revoked     bool                 `json:"revoked"`
	Version     uint64               `json:"version"`
	UpdatedAt   time.Time            `json:"updated_at"`
}

// Tokens is one page of a partner's tokens, sorted by id.
type Tokens struct {
	Partner    domain.PartnerID `json:"partner"`
	Tokens     []Token          `json:"tokens"`
	NextCursor *string          `json:"next_cursor"`
}

// Webhook is a partner's subscription. Its address is never told, because it may hold a tool's secret.
type Webhook struct {
	Partner        domain.PartnerID     `json:"partner"`
	ID             domain.WebhookID     `json:"id"`
	Title          string               `json:"title"`
	Format         string               `json:"format"`
	Place          string               `json:"place" doc:"What may be shown of the address: https://hooks.slack.com/…"`
	Events         []string             `json:"events" doc:"Types, with * for any rest."`
	Agreements     []domain.AgreementID `json:"agreements" doc:"Empty: all of the partner's."`
	Language       string               `json:"language" enum:"en,zh,fi"`
	IncludePrivate bool                 `json:"include_private"`
	Digest         *domain.Digest       `json:"digest" enum:"daily,weekly" doc:"Null: every event has a message of its own."`
	Order          domain.WebhookOrder  `json:"order" enum:"ordered,skip_ahead"`
	State          string               `json:"state" enum:"enabled,disabled"`
	DisabledReason *string              `json:"disabled_reason"`
	DisabledAt     *time.Time           `json:"disabled_at"`
	Signed         bool                 `json:"signed" doc:"There is a secret."`
	OldSecretUntil *time.Time           `json:"old_secret_until" doc:"Until when the secret before the present one signs too, or did; null if there was none."`
	Version        uint64               `json:"version"`
	CreatedAt      time.Time            `json:"created_at" doc:"What was recorded before is delivered only when it is replayed."`
	UpdatedAt      time.Time            `json:"updated_at"`
	URL            string               `json:"url" format:"uri"`
}

// Webhooks is one page of a partner's webhooks, sorted by id.
type Webhooks struct {
	Partner    domain.PartnerID `json:"partner"`
	Webhooks   []Webhook        `json:"webhooks"`
	NextCursor *string          `json:"next_cursor"`
}

// Event is one fact of the history.
type Event struct {
	ID          string              `json:"id" doc:"Stable; the same in feeds, history and webhooks."`
	Position    string              `json:"position" doc:"Dense for its reader within one agreement."`
	RecordedAt  time.Time           `json:"recorded_at"`
	Partner     *domain.PartnerID   `json:"partner" doc:"Who acted; null for the system and the operator."`
	Member      string              `json:"member"`
	ViaOperator bool                `json:"via_operator" doc:"Done with a token that the operator issued."`
	Type        string              `json:"type"`
	Audience    domain.Audience     `json:"audience"`
	Agreement   domain.AgreementID  `json:"agreement"`
	Project     *domain.ProjectID   `json:"project"`
	Milestone   *domain.MilestoneID `json:"milestone"`
	Data        json.RawMessage     `json:"data"`
	Sentence    string              `json:"sentence"`
}

// Events is one page of a feed or of a history, oldest first. NextCursor is the next after, never
// null in a feed.
type Events struct {
	Events     []Event `json:"events"`
	NextCursor *string `json:"next_cursor"`
}
