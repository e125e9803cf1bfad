package domain

import (
	"fmt"
	"strings"
)

// The ids are slugs (see [ValidSlug]), unique within their parent. Each kind has its own type, so
// that one cannot be passed for another.
type (
	// PartnerID names an organisation that is party to agreements.
	PartnerID string
	// MemberID names a person of a partner, or the program behind a token.
	MemberID string
	// TokenID names a bearer token of a partner.
	TokenID string
	// AgreementID names the signed umbrella between partners.
	AgreementID string
	// InstrumentID names one legal part of an agreement.
	InstrumentID string
	// ItemID names a line of an instrument's annex.
	ItemID string
	// ProjectID names a joint project within its agreement.
	ProjectID string
	// MilestoneID names a milestone within its project.
	MilestoneID string
)

// MemberRef names a member across partners.
type MemberRef struct {
	Partner PartnerID `json:"partner"`
	Member  MemberID  `json:"member"`
}

// TokenRef names a token across partners.
type TokenRef struct {
	Partner PartnerID `json:"partner"`
	Token   TokenID   `json:"token"`
}

// ProjectRef names a project across agreements.
type ProjectRef struct {
	Agreement AgreementID
	Project   ProjectID
}

// MilestoneRef names a milestone across agreements.
type MilestoneRef struct {
	Agreement AgreementID
	Project   ProjectID
	Milestone MilestoneID
}

// ProjectRef returns the milestone's project.
func (r MilestoneRef) ProjectRef() ProjectRef { return ProjectRef{r.Agreement, r.Project} }

// AmendmentRef names an amendment across agreements.
type AmendmentRef struct {
	Agreement AgreementID `json:"id"`
	Number    int         `json:"number"`
}

// ChangeRef names a change request across projects.
type ChangeRef struct {
	ProjectRef `json:"ref"`
	Number     int `json:"number"`
}

// Commands embed the id or reference of the aggregate or entity that they are for. It gives a command its
// stream, and its target: the version counters that DecisionContext.IfMatch is compared with.

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

func (r MilestoneRef) target(state State) *Versions { return state.Milestone(r).versions() }

// MaxSlug is the greatest length of an id in bytes.
const MaxSlug = 63

// ValidSlug reports whether s can be an id: [a-z0-9][a-z0-9-]{0,62}.
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

// Slug derives an id from a title: ASCII letters and digits in lower case, everything else
// between them one hyphen. It is empty when the title has none of them.
func Slug(title string) string {
	var slug strings.Builder
	hyphen := false
	for _, char := range strings.ToLower(title) {
		if (char < 'a' || char > 'z') && (char < '0' || char > '9') {
			hyphen = slug.Len() > 0
			continue
		}
		if hyphen {
			slug.WriteByte('-')
			hyphen = false
		}
		slug.WriteRune(char)
		if slug.Len() >= MaxSlug {
			break
		}
	}
	return strings.TrimRight(slug.String()[:min(slug.Len(), MaxSlug)], "-")
}

// Stream names the aggregate that a commit belongs to: a partner's directory
// ("partner/nokia"), an agreement ("agreement/a") or a project ("project/a/p").
type Stream struct {
	Partner   PartnerID
	Agreement AgreementID
	Project   ProjectID
}

// String returns the stored name.
func (s Stream) String() string {
	switch {
	case s.Partner != "":
		return "partner/" + string(s.Partner)
	case s.Project != "":
		return "project/" + string(s.Agreement) + "/" + string(s.Project)
	default:
		return "agreement/" + string(s.Agreement)
	}
}

// Root returns the name that decides the partition: the partner's directory or the agreement.
func (s Stream) Root() string {
	if s.Partner != "" {
		return "partner/" + string(s.Partner)
	}
	return "agreement/" + string(s.Agreement)
}

// ParseStream reads what Stream.String wrote.
func ParseStream(name string) (Stream, error) {
	kind, rest, _ := strings.Cut(name, "/")
	first, second, hasSecond := strings.Cut(rest, "/")
	switch {
	case kind == "partner" && !hasSecond && first != "":
		return Stream{Partner: PartnerID(first)}, nil
	case kind == "agreement" && !hasSecond && first != "":
		return Stream{Agreement: AgreementID(first)}, nil
	case kind == "project" && first != "" && second != "" && !strings.Contains(second, "/"):
		return Stream{Agreement: AgreementID(first), Project: ProjectID(second)}, nil
	}
	return Stream{}, fmt.Errorf("stream %q is neither partner/…, agreement/… nor project/…/…", name)
}
