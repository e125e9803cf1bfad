package projections

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"tandem/api"
	"tandem/domain"
	"tandem/projections/sentences"
)

// RenderEvents returns events as the viewer's feeds show them, with sentences in a language of package sentences (any
// other is English). Names and titles are those at the time of the event.
func (s *events) RenderEvents(viewer Viewer, events []VisibleEvent, language string) ([]api.Event, error) {
	rendered := make([]api.Event, len(events))
	err := s.views.View(viewer, func(view *View) error {
		for i := range events {
			event, err := events[i].decode()
			if err != nil {
				return err
			}
			if event, err = view.disclosed(event); err != nil {
				return err
			}
			rendered[i] = s.shape(event, language, view.fact(event))
		}
		return nil
	})
	return rendered, err
}

// RenderedEvent is an event with the data of a webhook message.
type RenderedEvent struct {
	Event     api.Event      // exactly as in the feed, in English
	Previous  map[string]any // the former values of the fields that the event has changed
	Milestone *api.Milestone // as the event's commit left it; nil if the event is not about a milestone
	Sentence  string         // in the language asked for
	Actor     string         // in that language: the acting member and partner, or the partner alone; empty: neither
	Payload   domain.Payload
	Names     map[domain.PartnerID]string // of the partners that the reader can see
	Project   string                      // title; empty: the event is about an agreement
	Agreement string                      // title

	Members []string // display names in it
	actors  []string // as Actor, in both languages
	named   []string // display name and id, in turn, of each member whom the event names; longer names first
}

// WithoutMembers returns the event without the display names of members, for a record that their erasure does not
// reach. It is the event itself if it has none.
func (r *RenderedEvent) WithoutMembers() *RenderedEvent {
	if len(r.Members) == 0 {
		return r
	}
	unnamed := *r
	unnamed.Members, unnamed.Event.MemberName = nil, nil
	if partner := r.Event.Partner; partner != nil {
		unnamed.Actor = r.Names[*partner]
	}
	hide := func(text string) string {
		for _, actor := range r.actors {
			text = strings.ReplaceAll(text, actor, unnamed.Actor)
		}
		return strings.NewReplacer(r.named...).Replace(text)
	}
	if r.Milestone != nil {
		unnamed.Milestone = withoutMembers(*r.Milestone)
	}
	unnamed.Sentence, unnamed.Event.Sentence = hide(r.Sentence), hide(r.Event.Sentence)
	return &unnamed
}

// withoutMembers returns the milestone without the display names of members.
func withoutMembers(milestone api.Milestone) *api.Milestone {
	if milestone.CreatedBy != nil {
		author := *milestone.CreatedBy
		author.MemberName, milestone.CreatedBy = nil, &author
	}
	milestone.Responsible = maps.Clone(milestone.Responsible)
	for partner, responsible := range milestone.Responsible {
		milestone.Responsible[partner] = api.NamedMember{Member: responsible.Member}
	}
	return &milestone
}

// RenderEvent renders an event for a webhook of a partner. If private is false the
// milestone has no values that only this partner can see. If the log cannot be read the error is an ErrUnreadable.
func (s *events) RenderEvent(
	ctx context.Context, partner domain.PartnerID, visible VisibleEvent, private bool, language string,
) (*RenderedEvent, error) {
	event, err := visible.decode()
	if err != nil {
		return nil, err
	}
	rendered := &RenderedEvent{}
	viewer, known := Viewer{Partner: partner}, false
	err = s.views.View(viewer, func(view *View) error {
		if event, err = view.disclosed(event); err != nil {
			return err
		}
		rendered.Payload = event.payload
		if rendered.Previous, err = previous(event.payload); err != nil {
			return commitError(event.commit, err)
		}
		fact := view.fact(event)
		rendered.Event = s.shape(event, sentences.English, fact)
		rendered.Sentence, rendered.Actor = s.book.Sentence(language, fact), s.book.Actor(language, fact)
		if fact.Member != "" {
			rendered.Members = []string{fact.Member}
			rendered.actors = []string{rendered.Actor, s.book.Actor(sentences.English, fact)}
		}
		for _, member := range view.namedMembers(event.payload) {
			rendered.Members = append(rendered.Members, *member.MemberName)
			rendered.named = append(rendered.named, *member.MemberName, string(member.Member))
		}
		rendered.Names = view.knownNames(event.ref.entry.At)
		rendered.Agreement, rendered.Project = view.agreementTitle(event), view.projectTitle(event)
		if known = rendered.Event.Milestone == nil; !known {
			rendered.Milestone, known = s.views.viewAt(view.store, viewer, visible.RecordedAt()).milestoneAfter(event, private)
		}
		return nil
	})
	if err != nil || known {
		return rendered.listMembers(), err
	}
	err = s.withPast(ctx, visible, func(past *store) {
		view := s.views.viewAt(past, viewer, visible.RecordedAt())
		if node := view.milestone(event.milestone()); node != nil {
			rendered.Milestone = view.messageMilestone(node, private)
		}
	})
	return rendered.listMembers(), err
}

// listMembers adds the display names in the milestone to the members.
func (r *RenderedEvent) listMembers() *RenderedEvent {
	if r.Milestone == nil {
		return r
	}
	for _, partner := range slices.Sorted(maps.Keys(r.Milestone.Responsible)) {
		if name := r.Milestone.Responsible[partner].MemberName; name != nil {
			r.Members = append(r.Members, *name)
		}
	}
	if r.Milestone.CreatedBy != nil && r.Milestone.CreatedBy.MemberName != nil {
		r.Members = append(r.Members, *r.Milestone.CreatedBy.MemberName)
	}
	return r
}

// decodedEvent is a visible event whose stream and payload are decoded. Payload and data contain what a viewer may see.
type decodedEvent struct {
	*VisibleEvent
	stream  domain.Stream
	payload domain.Payload
	data    []byte
}

func (e *VisibleEvent) decode() (decodedEvent, error) {
	stream, err := domain.ParseStream(e.commit.Stream)
	if err != nil {
		return decodedEvent{}, commitError(e.commit, err)
	}
	payload, err := domain.DecodeEvent(e.stored().Type, e.stored().Data)
	if err != nil {
		return decodedEvent{}, commitError(e.commit, err)
	}
	return decodedEvent{e, stream, payload, e.stored().Data}, nil
}

// disclosed returns the event as the viewer may see it. Without a reduction its data are the stored bytes.
func (v *View) disclosed(event decodedEvent) (decodedEvent, error) {
	node := v.store.agreements[event.stream.Agreement]
	if node == nil || node.entity == nil {
		return event, nil
	}
	payload, reduced := v.agreementFor(node).DisclosedEvent(event.payload, event.stored().Subject, v.viewer.Partner)
	if !reduced {
		return event, nil
	}
	_, data, err := domain.EncodeEvent(payload)
	if err != nil {
		return event, commitError(event.commit, err)
	}
	event.payload, event.data = payload, data
	return event, nil
}

// milestone returns the milestone that the event is about.
func (e decodedEvent) milestone() domain.MilestoneRef {
	return domain.MilestoneRef{
		Agreement: e.stream.Agreement, Project: e.stream.Project, Milestone: domain.MilestoneID(e.stored().Subject),
	}
}

// shape returns the event as feeds in a language show it.
func (s *events) shape(e decodedEvent, language string, fact sentences.Fact) api.Event {
	member, viaOperator := domain.ParseActorName(e.commit.Actor)
	shape := api.Event{
		ID: e.ID(), Position: e.Position().String(), RecordedAt: e.RecordedAt(), Type: e.Type(), Audience: e.Audience(),
		Partner: nilIfZero(domain.PartnerID(e.commit.Partner)), Member: string(member), ViaOperator: viaOperator,
		MemberName: nilIfZero(s.book.Member(language, fact)),
		Agreement:  e.stream.Agreement, Project: nilIfZero(e.stream.Project), Data: json.RawMessage(e.data),
		Sentence: s.book.Sentence(language, fact),
	}
	if e.stream.Project != "" {
		shape.Milestone = nilIfZero(domain.MilestoneID(e.stored().Subject))
	}
	return shape
}

// fact returns the data of an event's sentence, with the names and titles at the time of the event.
func (v *View) fact(event decodedEvent) sentences.Fact {
	subject := event.stored().Subject
	fact := sentences.Fact{
		Payload: event.payload, Partner: domain.PartnerID(event.commit.Partner), System: event.commit.Actor == string(domain.System),
		Title:      cmp.Or(subject, string(event.stream.Partner)),
		Name:       func(id domain.PartnerID) string { return v.nameAt(id, event.ref.entry.At) },
		Milestone:  func(id domain.MilestoneID) string { return v.milestoneTitle(event, id) },
		Instrument: func(id domain.InstrumentID) string { return v.instrumentTitle(event.stream.Agreement, id) },
		Item: func(instrument domain.InstrumentID, id domain.ItemID) string {
			return v.itemTitle(event.stream.Agreement, instrument, id)
		},
	}
	fact.MemberName = func(ref domain.MemberRef) (name string, former bool) {
		known := v.store.names.of(ref)
		return known.name, known.former
	}
	fact.Member, fact.Former = v.actingMember(event)
	_, fact.Private = event.Audience().Private()
	switch {
	case event.stream.Partner != "":
	case event.stream.Project == "":
		fact.Title = cmp.Or(v.agreementTitle(event), string(event.stream.Agreement))
	case subject == "":
		fact.Title = v.projectTitle(event)
	default:
		fact.Title = v.milestoneTitle(event, domain.MilestoneID(subject))
	}
	return fact
}

// actingMember returns the display name of the member who acted, or whether that member is a former one.
func (v *View) actingMember(event decodedEvent) (name string, former bool) {
	member, _ := domain.ParseActorName(event.commit.Actor)
	known := v.store.names.of(domain.MemberRef{Partner: domain.PartnerID(event.commit.Partner), Member: member})
	return known.name, known.former
}

// namedMembers returns the members whom an event names and whose display names are known, longer names first. It leaves
// out former members.
func (v *View) namedMembers(payload domain.Payload) (named []api.NamedMember) {
	var partner domain.PartnerID
	var members []domain.MemberID
	switch event := payload.(type) {
	case domain.ResponsibleNamed:
		partner, members = event.Partner, []domain.MemberID{event.Member}
	case domain.ContactPersonsNamed:
		partner, members = event.Partner, event.Members
	}
	for _, member := range members {
		if name := v.store.names.of(domain.MemberRef{Partner: partner, Member: member}).name; name != "" {
			named = append(named, api.NamedMember{Member: member, MemberName: &name})
		}
	}
	slices.SortStableFunc(named, func(a, b api.NamedMember) int { return len(*b.MemberName) - len(*a.MemberName) })
	return named
}

// knownNames returns the names that the viewer and the partners that it can see had at a time, in microseconds since
// 1970.
func (v *View) knownNames(at int64) map[domain.PartnerID]string {
	names := map[domain.PartnerID]string{}
	for _, id := range append(v.knownPartners(), v.viewer.Partner) {
		names[id] = v.nameAt(id, at)
	}
	return names
}

// agreementTitle returns the title of an event's agreement at the event, empty if there is no such agreement.
func (v *View) agreementTitle(event decodedEvent) string {
	agreement := v.store.agreements[event.stream.Agreement]
	if agreement == nil {
		return ""
	}
	return titleAt(agreement.formerTitles[titledEntity{}], agreement.title, event.ref.entry.order())
}

// projectTitle returns the title of an event's project at the event, empty if there is no such project.
func (v *View) projectTitle(event decodedEvent) string {
	project := v.store.projectNode(domain.ProjectRef{Agreement: event.stream.Agreement, Project: event.stream.Project})
	if project == nil {
		return ""
	}
	return titleAt(project.agreement.formerTitles[titledEntity{Project: project.id}], project.title, event.ref.entry.order())
}

// milestoneTitle returns the title at the event of a milestone in the event's project, or its id if there is no such
// milestone.
func (v *View) milestoneTitle(event decodedEvent, id domain.MilestoneID) string {
	project := v.store.projectNode(domain.ProjectRef{Agreement: event.stream.Agreement, Project: event.stream.Project})
	if project == nil || project.milestones[id] == nil {
		return string(id)
	}
	return titleAt(project.agreement.formerTitles[titledEntity{project.id, id}], project.milestones[id].title, event.ref.entry.order())
}

// instrumentTitle returns the title of an instrument that the viewer can see, otherwise its id. It is the present title,
// because a sentence names instruments by id only after the agreement is signed, when titles no longer change.
func (v *View) instrumentTitle(agreement domain.AgreementID, id domain.InstrumentID) string {
	for _, instrument := range v.disclosedInstruments(agreement) {
		if instrument.ID == id && instrument.Title != "" {
			return instrument.Title
		}
	}
	return string(id)
}

// itemTitle returns the title of a schedule item of an instrument that the viewer can see, otherwise its id. If no instrument
// is given the item is searched in all of them.
func (v *View) itemTitle(agreement domain.AgreementID, instrument domain.InstrumentID, id domain.ItemID) string {
	for _, disclosed := range v.disclosedInstruments(agreement) {
		if instrument != "" && disclosed.ID != instrument {
			continue
		}
		if item := disclosed.Item(id); item != nil && item.Title != "" {
			return item.Title
		}
	}
	return string(id)
}

// disclosedInstruments returns the agreement's instruments as the viewer may see them.
func (v *View) disclosedInstruments(agreement domain.AgreementID) []domain.Instrument {
	node := v.store.agreements[agreement]
	if node == nil || node.entity == nil {
		return nil
	}
	seen := v.agreementFor(node)
	instruments := make([]domain.Instrument, len(seen.Instruments))
	for i := range seen.Instruments {
		instruments[i] = seen.DisclosedInstrument(&seen.Instruments[i], v.viewer.Partner)
	}
	return instruments
}

// milestoneAfter returns an event's milestone as the event's commit left it; false if it is not in memory.
// It is in memory if the commit is a recent one or the last one that concerned the milestone.
func (v *View) milestoneAfter(event decodedEvent, private bool) (*api.Milestone, bool) {
	if recent := v.store.postStates.get(event.ref.commit()); recent != nil {
		milestone := recent.milestones[event.ref.entry.Index]
		if milestone == nil || recent.project == nil || !milestone.VisibleTo(v.viewer.Partner, recent.project) {
			return nil, true
		}
		agreement := &agreementNode{id: recent.agreement.ID, entity: recent.agreement, index: event.ref.index}
		project := &projectNode{id: recent.project.Ref.Project, entity: recent.project, agreement: agreement}
		return v.messageMilestone(&milestoneNode{entity: milestone, project: project}, private), true
	}
	node := v.milestone(event.milestone())
	if node == nil || len(node.history) == 0 || event.ref.index.entries[node.history[len(node.history)-1]].Seq != event.ref.entry.Seq {
		return nil, false
	}
	return v.messageMilestone(node, private), true
}

// messageMilestone returns the shape of a milestone in a webhook message.
func (v *View) messageMilestone(node *milestoneNode, private bool) *api.Milestone {
	if !private {
		shared := *node
		shared.entity = node.entity.WithoutPrivate()
		node = &shared
	}
	shape := v.milestoneShape(node)
	return &shape
}
