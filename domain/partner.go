package domain

import "reflect"

// Partner is an organisation. Its directory (members, tokens, webhooks) is a separate stream; the operator
// creates it, and the partner's managers maintain it.
type Partner struct {
	ID       PartnerID
	Name     string
	Country  string      // ISO 3166-1 alpha-2, upper case
	TimeZone string      // IANA time zone name
	Holidays []Date      // days off besides the country's public holidays
	Webhooks []WebhookID // present webhooks, sorted
	// OwnManagerTokens are the manager tokens that are the partner's own or confirmed and not revoked, sorted.
	OwnManagerTokens []TokenID
	// Dismissed are the dismissed notices whose cause still exists, sorted.
	Dismissed   []NoticeID
	Renames     []Rename     // oldest first
	Invitations []Invitation // sorted by id
	Versions    Versions
}

// PartnerProfile holds the editable fields of a partner.
type PartnerProfile struct {
	Name     string `json:"name"`
	Country  string `json:"country"`
	TimeZone string `json:"time_zone"`
	Holidays []Date `json:"holidays,omitempty"`
}

func (p PartnerProfile) validate() (check validation) {
	check.partnerName(p.Name)
	if len(p.Country) != 2 || p.Country[0] < 'A' || p.Country[0] > 'Z' || p.Country[1] < 'A' || p.Country[1] > 'Z' {
		check.add("country", "%q is not an ISO 3166-1 alpha-2 code; use one such as FI", p.Country)
	}
	check.line("time_zone", p.TimeZone, 100, true)
	for _, date := range p.Holidays {
		check.requiredDate("holidays", date)
	}
	return check
}

func (v *validation) partnerName(name string) { v.line("name", name, 200, true) }

// ValidPartnerName reports whether a partner can have the name, if no other partner has it.
func ValidPartnerName(name string) bool {
	var check validation
	check.partnerName(name)
	return len(check) == 0
}

func (p *Partner) profile() PartnerProfile {
	return PartnerProfile{p.Name, p.Country, p.TimeZone, p.Holidays}
}

func (p *Partner) setProfile(to PartnerProfile) {
	p.Name, p.Country, p.TimeZone, p.Holidays = to.Name, to.Country, to.TimeZone, to.Holidays
}

// CreatePartner creates a partner; only the operator can. The caller of Decide has checked that the time zone
// exists.
type CreatePartner struct {
	PartnerID   `json:"id"`
	Profile     PartnerProfile  `json:"profile"`
	Reservation NameReservation `json:"reservation"`
}

// PartnerCreated is the first event of a directory.
type PartnerCreated struct {
	Profile  PartnerProfile `json:"profile"`
	NameKeys []string       `json:"name_keys,omitempty"` // absent in events from before names were reserved
}

func (c CreatePartner) target(State) *Versions { return nil }

func (c CreatePartner) decide(state State, dc DecisionContext) ([]Event, error) {
	check := c.Profile.validate()
	check.slug("id", string(c.PartnerID))
	if err := check.err(); err != nil {
		return nil, err
	}
	if dc.Actor.Role != Operator {
		return nil, forbidden("operator_only", "Only the operator can create partners.")
	}
	if state.Partner(c.PartnerID) != nil {
		return nil, conflict("partner_exists", "Partner %s already exists; choose another id.", c.PartnerID)
	}
	if err := c.Reservation.require(dc); err != nil {
		return nil, err
	}
	return directoryEvent("", PartnerCreated{c.Profile, c.Reservation.Keys}), nil
}

func (e PartnerCreated) apply(world *World, header Header) {
	partner := world.editPartner(header.Stream.Partner)
	partner.ID = header.Stream.Partner
	partner.setProfile(e.Profile)
	partner.Versions.count(header)
}

func directoryEvent(subject string, payload Payload) []Event {
	return []Event{{Subject: subject, Audience: Shared, Payload: payload}}
}

// EditPartner replaces the fields that are not nil.
type EditPartner struct {
	PartnerID   `json:"id"`
	Name        *string         `json:"name,omitempty"`
	Country     *string         `json:"country,omitempty"`
	TimeZone    *string         `json:"time_zone,omitempty"`
	Holidays    *[]Date         `json:"holidays,omitempty"`
	Reservation NameReservation `json:"reservation,omitzero"` // of a new name
}

// PartnerEdited carries the new and the old profile.
type PartnerEdited struct {
	To       PartnerProfile `json:"to"`
	From     PartnerProfile `json:"from"`
	NameKeys []string       `json:"name_keys,omitempty"` // of a new name; absent from before names were reserved
}

func (c EditPartner) decide(state State, dc DecisionContext) ([]Event, error) {
	partner, err := findDirectory(state, c.PartnerID, dc)
	if err != nil {
		return nil, err
	}
	from := partner.profile()
	to := from
	set(&to.Name, c.Name)
	set(&to.Country, c.Country)
	set(&to.TimeZone, c.TimeZone)
	setList(&to.Holidays, c.Holidays)
	if err := to.validate().err(); err != nil {
		return nil, err
	}
	if err := requireDirectoryManager(dc); err != nil {
		return nil, err
	}
	if reflect.DeepEqual(to, from) {
		return nil, conflict("nothing_changes", "Partner %s already has these values; change at least one.", c.PartnerID)
	}
	event := PartnerEdited{To: to, From: from}
	if to.Name != from.Name {
		if err := c.Reservation.require(dc); err != nil {
			return nil, err
		}
		event.NameKeys = c.Reservation.Keys
	}
	return directoryEvent("", event), nil
}

func (e PartnerEdited) apply(world *World, header Header) {
	partner := world.editPartner(header.Stream.Partner)
	partner.setProfile(e.To)
	partner.addRename(e, header)
	partner.Versions.count(header)
}

// findDirectory returns the partner, or not found if the actor may not see its directory.
func findDirectory(state State, id PartnerID, dc DecisionContext) (*Partner, error) {
	partner := state.Partner(id)
	if partner == nil || (dc.Actor.Partner != id && dc.Actor.Role != Operator) {
		return nil, ErrNotFound()
	}
	return partner, nil
}

// requireDirectoryManager refuses actors that may see but not change a directory.
func requireDirectoryManager(dc DecisionContext) error {
	if dc.Actor.Role == Operator {
		return nil
	}
	return dc.requireManager()
}

func set[T any](field *T, to *T) {
	if to != nil {
		*field = *to
	}
}

// setList is set for lists. An empty list becomes nil, as in stored events.
func setList[T any](field *[]T, to *[]T) {
	set(field, to)
	if len(*field) == 0 {
		*field = nil
	}
}

func (p *Partner) versions() *Versions {
	if p == nil {
		return nil
	}
	return &p.Versions
}
