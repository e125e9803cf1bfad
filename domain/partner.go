package domain

// Partner is an organisation that is party to agreements. Its directory (members, tokens, webhooks) is a
// stream of its own; the operator creates it, its managers keep it.
type Partner struct {
	ID       PartnerID
	Name     string
	Country  string      // ISO 3166-1 alpha-2, upper case
	TimeZone string      // IANA name
	Holidays []Date      // own days off, beside the country's
	Webhooks []WebhookID // those not removed, sorted
	// Dismissed are the notices that were dismissed and whose cause is still there, sorted.
	Dismissed []NoticeID
	Seen      Seen
}

// PartnerProfile is what a partner says of itself.
type PartnerProfile struct {
	Name     string `json:"name"`
	Country  string `json:"country"`
	TimeZone string `json:"time_zone"`
	Holidays []Date `json:"holidays,omitempty"`
}

func (p PartnerProfile) faults() (f faults) {
	f.line("name", p.Name, 200, true)
	if len(p.Country) != 2 || p.Country[0] < 'A' || p.Country[0] > 'Z' || p.Country[1] < 'A' || p.Country[1] > 'Z' {
		f.add("country", "%q is not an ISO 3166-1 code such as FI", p.Country)
	}
	f.line("time_zone", p.TimeZone, 100, true)
	for _, d := range p.Holidays {
		f.date("holidays", d)
	}
	return f
}

func (p *Partner) profile() PartnerProfile {
	return PartnerProfile{p.Name, p.Country, p.TimeZone, p.Holidays}
}

func (p *Partner) setProfile(to PartnerProfile) {
	p.Name, p.Country, p.TimeZone, p.Holidays = to.Name, to.Country, to.TimeZone, to.Holidays
}

// CreatePartner is given by the operator. The edge has checked that the time zone exists.
type CreatePartner struct {
	ID      PartnerID      `json:"id"`
	Profile PartnerProfile `json:"profile"`
}

// PartnerCreated is the first event of a directory.
type PartnerCreated struct {
	Profile PartnerProfile `json:"profile"`
}

// Stream implements Command.
func (c CreatePartner) Stream() Stream { return Stream{Partner: c.ID} }

func (c CreatePartner) decide(s State, m Meta) ([]Event, error) {
	f := c.Profile.faults()
	f.slug("id", string(c.ID))
	if err := f.err(); err != nil {
		return nil, err
	}
	if m.Actor.Role != Operator {
		return nil, forbidden("operator_only", "Only the operator creates partners.")
	}
	if s.Partner(c.ID) != nil {
		return nil, conflict("partner_exists", "There is a partner %s already.", c.ID)
	}
	return directoryEvent("", PartnerCreated{c.Profile}), nil
}

func (e PartnerCreated) apply(w *World, h Header) {
	p := w.editPartner(h.Stream.Partner)
	p.ID = h.Stream.Partner
	p.setProfile(e.Profile)
	p.Seen.Count(h.Audience, h.RecordedAt)
}

func directoryEvent(subject string, p Payload) []Event {
	return []Event{{Subject: subject, Audience: Shared, Payload: p}}
}

// EditPartner replaces the fields that are set.
type EditPartner struct {
	ID       PartnerID `json:"id"`
	Name     *string   `json:"name,omitempty"`
	Country  *string   `json:"country,omitempty"`
	TimeZone *string   `json:"time_zone,omitempty"`
	Holidays *[]Date   `json:"holidays,omitempty"`
}

// PartnerEdited carries the whole profile after and before.
type PartnerEdited struct {
	To   PartnerProfile `json:"to"`
	From PartnerProfile `json:"from"`
}

// Stream implements Command.
func (c EditPartner) Stream() Stream { return Stream{Partner: c.ID} }

func (c EditPartner) target(s State) *Seen { return seenOf(s.Partner(c.ID)) }

func (c EditPartner) decide(s State, m Meta) ([]Event, error) {
	p, err := directory(s, c.ID, m)
	if err != nil {
		return nil, err
	}
	from := p.profile()
	to := from
	set(&to.Name, c.Name)
	set(&to.Country, c.Country)
	set(&to.TimeZone, c.TimeZone)
	setList(&to.Holidays, c.Holidays)
	if err := to.faults().err(); err != nil {
		return nil, err
	}
	if err := keeper(m); err != nil {
		return nil, err
	}
	return directoryEvent("", PartnerEdited{To: to, From: from}), nil
}

func (e PartnerEdited) apply(w *World, h Header) {
	p := w.editPartner(h.Stream.Partner)
	p.setProfile(e.To)
	p.Seen.Count(h.Audience, h.RecordedAt)
}

// directory returns the partner if the actor may know its directory.
func directory(s State, id PartnerID, m Meta) (*Partner, error) {
	p := s.Partner(id)
	if p == nil || (m.Actor.Partner != id && m.Actor.Role != Operator) {
		return nil, ErrNotFound()
	}
	return p, nil
}

// keeper refuses actors that may not change a directory they can see.
func keeper(m Meta) error {
	if m.Actor.Role == Operator {
		return nil
	}
	return m.manager()
}

func set[T any](field *T, to *T) {
	if to != nil {
		*field = *to
	}
}

// setList is set for lists; an empty one becomes nil, as it does in stored events.
func setList[T any](field *[]T, to *[]T) {
	set(field, to)
	if len(*field) == 0 {
		*field = nil
	}
}

func seenOf[T interface{ seen() *Seen }](x T) *Seen { return x.seen() }

func (p *Partner) seen() *Seen {
	if p == nil {
		return nil
	}
	return &p.Seen
}
