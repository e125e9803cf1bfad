package sentences

import "tandem/domain"

// changedScope returns the changes of title, description and references to an instrument.
func (p *phrasebook) changedScope(change domain.ProposedChange) (words []string) {
	add := func(field, value string) {
		if value == "" {
			words = append(words, p.text("scope.none", args{"Field": p.text("agreed."+field, nil)}))
			return
		}
		words = append(words, p.text("change.field", args{"Field": p.text("agreed."+field, nil), "Value": p.text("scope.value", args{"Value": value})}))
	}
	if change.To.Title != change.From.Title {
		add("title", change.To.Title)
	}
	if changed(change.From.Description, change.To.Description) {
		add("description", *change.To.Description)
	}
	if changed(change.From.Instrument, change.To.Instrument) {
		add("instrument", string(*change.To.Instrument))
	}
	if changed(change.From.ScheduleItem, change.To.ScheduleItem) {
		add("schedule_item", string(*change.To.ScheduleItem))
	}
	if changed(change.From.Clause, change.To.Clause) {
		add("clause", *change.To.Clause)
	}
	return words
}

// changed reports whether a field has a new value.
func changed[T comparable](from, to *T) bool { return to != nil && (from == nil || *from != *to) }
