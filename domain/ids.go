package domain

import (
	"fmt"
	"strings"
)

// Ids are slugs (see [ValidSlug]), unique within their parent. Each kind has its own type, so that the compiler
// rejects one in place of another.
type (
	// PartnerID identifies a partner organisation.
	PartnerID string
	// MemberID identifies a person of a partner, or the program behind a token.
	MemberID string
	// TokenID identifies a bearer token of a partner.
	TokenID string
	// AgreementID identifies an agreement.
	AgreementID string
	// InstrumentID identifies an instrument within its agreement.
	InstrumentID string
	// ItemID identifies a schedule item within its instrument.
	ItemID string
	// ProjectID identifies a project within its agreement.
	ProjectID string
	// MilestoneID identifies a milestone within its project.
	MilestoneID string
)

// MemberRef identifies a member of any partner.
type MemberRef struct {
	Partner PartnerID `json:"partner"`
	Member  MemberID  `json:"member"`
}

// TokenRef identifies a token of any partner.
type TokenRef struct {
	Partner PartnerID `json:"partner"`
	Token   TokenID   `json:"token"`
}

// ProjectRef identifies a project of any agreement.
type ProjectRef struct {
	Agreement AgreementID
	Project   ProjectID
}

// MilestoneRef identifies a milestone of any project.
type MilestoneRef struct {
	Agreement AgreementID
	Project   ProjectID
	Milestone MilestoneID
}

// ProjectRef returns the milestone's project.
func (r MilestoneRef) ProjectRef() ProjectRef { return ProjectRef{r.Agreement, r.Project} }

// AmendmentRef identifies an amendment of any agreement.
type AmendmentRef struct {
	Agreement AgreementID `json:"id"`
	Number    int         `json:"number"`
}

// ChangeRef identifies a change request of any project.
type ChangeRef struct {
	ProjectRef `json:"ref"`
	Number     int `json:"number"`
}

// Commands embed the id or reference of the entity that they change, which promotes two methods: Stream, and
// target, whose version DecisionContext.IfMatch is compared with.

// Stream returns the stream of the partner's directory.
func (id PartnerID) Stream() Stream { return Stream{Partner: id} }

func (id PartnerID) target(state State) *Versions { return state.Partner(id).versions() }

// Stream returns the stream of the partner's directory.
func (r MemberRef) Stream() Stream { return r.Partner.Stream() }

func (r MemberRef) target(state State) *Versions { return state.Member(r).versions() }

// Stream returns the stream of the partner's directory.
func (r TokenRef) Stream() Stream { return r.Partner.Stream() }

func (r TokenRef) target(state State) *Versions { return state.Token(r).versions() }

// Stream returns the stream of the partner's directory.
func (r WebhookRef) Stream() Stream { return r.Partner.Stream() }

func (r WebhookRef) target(state State) *Versions { return state.Webhook(r).versions() }

// Stream returns the agreement's stream.
func (id AgreementID) Stream() Stream { return Stream{Agreement: id} }

func (id AgreementID) target(state State) *Versions { return state.Agreement(id).versions() }

// Stream returns the agreement's stream.
func (r AmendmentRef) Stream() Stream { return r.Agreement.Stream() }

func (r AmendmentRef) target(state State) *Versions {
	if agreement := state.Agreement(r.Agreement); agreement != nil {
		return agreement.Amendment(r.Number).versions()
	}
	return nil
}

// Stream returns the project's stream.
func (r ProjectRef) Stream() Stream { return Stream{Agreement: r.Agreement, Project: r.Project} }

func (r ProjectRef) target(state State) *Versions { return state.Project(r).versions() }

func (r ChangeRef) target(state State) *Versions {
	if project := state.Project(r.ProjectRef); project != nil {
		return project.Change(r.Number).versions()
	}
	return nil
}

// Stream returns the stream of the milestone's project.
func (r MilestoneRef) Stream() Stream { return r.ProjectRef().Stream() }

// AboutMilestone returns the reference itself; commands that embed it name their milestone so.
func (r MilestoneRef) AboutMilestone() MilestoneRef { return r }

func (r MilestoneRef) target(state State) *Versions { return state.Milestone(r).versions() }

// MaxSlug is the maximum length of an id in bytes.
const MaxSlug = 63

// ValidSlug reports whether the text is a valid id: [a-z0-9][a-z0-9-]{0,62}.
func ValidSlug(text string) bool {
	if text == "" || len(text) > MaxSlug || text[0] == '-' {
		return false
	}
	for i := range len(text) {
		if char := text[i]; char != '-' && (char < 'a' || char > 'z') && (char < '0' || char > '9') {
			return false
		}
	}
	return true
}

// Stream identifies the aggregate of a commit: a partner's directory ("partner/nokia"), an agreement
// ("agreement/a"), a project ("project/a/p") or the register of names ("names").
type Stream struct {
	Register  bool
	Partner   PartnerID
	Agreement AgreementID
	Project   ProjectID
}

// String returns the stored name.
func (s Stream) String() string {
	switch {
	case s.Register:
		return registerName
	case s.Partner != "":
		return "partner/" + string(s.Partner)
	case s.Project != "":
		return "project/" + string(s.Agreement) + "/" + string(s.Project)
	default:
		return "agreement/" + string(s.Agreement)
	}
}

const registerName = "names"

// Root returns the name that determines the partition: the partner's directory, the agreement or the register.
func (s Stream) Root() string {
	if s.Register {
		return registerName
	}
	if s.Partner != "" {
		return "partner/" + string(s.Partner)
	}
	return "agreement/" + string(s.Agreement)
}

// ParseStream parses the result of Stream.String.
func ParseStream(name string) (Stream, error) {
	kind, rest, _ := strings.Cut(name, "/")
	first, second, hasSecond := strings.Cut(rest, "/")
	switch {
	case name == registerName:
		return NameRegister, nil
	case kind == "partner" && !hasSecond && first != "":
		return Stream{Partner: PartnerID(first)}, nil
	case kind == "agreement" && !hasSecond && first != "":
		return Stream{Agreement: AgreementID(first)}, nil
	case kind == "project" && first != "" && second != "" && !strings.Contains(second, "/"):
		return Stream{Agreement: AgreementID(first), Project: ProjectID(second)}, nil
	}
	return Stream{}, fmt.Errorf("stream %q is neither partner/…, agreement/…, project/…/… nor names", name)
}
