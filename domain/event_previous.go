package domain

import (
	"reflect"
	"strings"
)

// PreviousValue is a value that an event replaced.
type PreviousValue struct {
	Field string // JSON name of the field that changed
	Value any    // to be encoded by encoding/json, as in the stored event; nil if the field had no value
}

// Replacement is a payload that carries the values it replaced.
type Replacement interface {
	Payload
	// Previous returns the replaced values of the fields that the event changed.
	Previous() []PreviousValue
}

// changedFields returns the fields of from, a struct with JSON tags, that differ from those of to.
func changedFields[T any](from, to T) (values []PreviousValue) {
	before, after := reflect.ValueOf(from), reflect.ValueOf(to)
	for i := range before.NumField() {
		name, options, _ := strings.Cut(before.Type().Field(i).Tag.Get("json"), ",")
		previous, present := before.Field(i).Interface(), after.Field(i).Interface()
		if reflect.DeepEqual(previous, present) {
			continue
		}
		if options != "" && isEmptyJSON(before.Field(i)) { // omitempty or omitzero: left out of the event
			if isEmptyJSON(after.Field(i)) {
				continue
			}
			previous = nil
		}
		values = append(values, PreviousValue{name, previous})
	}
	return values
}

func isEmptyJSON(value reflect.Value) bool {
	return value.IsZero() || (value.Kind() == reflect.Slice && value.Len() == 0)
}

// unlessZero returns the value, or no value if it is zero and thus left out of the stored event.
func unlessZero[T comparable](field string, value T) []PreviousValue {
	var zero T
	if value == zero {
		return nil
	}
	return []PreviousValue{{field, value}}
}

// Previous returns the profile fields that changed.
func (e PartnerEdited) Previous() []PreviousValue { return changedFields(e.From, e.To) }

// Previous returns the role.
func (e MemberEdited) Previous() []PreviousValue { return []PreviousValue{{"from", e.From}} }

// Previous returns the settings that changed.
func (e WebhookEdited) Previous() []PreviousValue { return changedFields(e.From, e.To) }

// Previous returns the terms that changed.
func (e AgreementEdited) Previous() []PreviousValue { return changedFields(e.From, e.To) }

// Previous returns the fields that changed.
func (e InstrumentEdited) Previous() []PreviousValue { return changedFields(e.From, e.To) }

// Previous returns the terms that changed.
func (e AgreementAmended) Previous() []PreviousValue { return changedFields(e.From, e.To) }

// Previous returns the terms that the amendment would change, as they are.
func (e AmendmentProposed) Previous() []PreviousValue { return unlessZero("from", e.From) }

// Previous returns the state of the schedule item.
func (e ItemMoved) Previous() []PreviousValue { return unlessZero("from", e.From) }

// Previous returns the text of the note.
func (e InstrumentNoted) Previous() []PreviousValue { return unlessZero("from", e.From) }

// Previous returns the fields that changed.
func (e ProjectEdited) Previous() []PreviousValue { return changedFields(e.From, e.To) }

// Previous returns the stage.
func (e StageChanged) Previous() []PreviousValue { return []PreviousValue{{"stage", e.From}} }

// Previous returns the decide-by date.
func (e DecideByMoved) Previous() []PreviousValue { return []PreviousValue{{"decide_by", e.From}} }

// Previous returns the lead.
func (e LeadChanged) Previous() []PreviousValue { return []PreviousValue{{"lead", e.From}} }

// Previous returns the fields of the plan that changed, and the baseline if there was one.
func (e MilestoneAgreed) Previous() []PreviousValue {
	return append(changedFields(e.From, e.To), unlessZero("baseline_on", e.BaselineFrom)...)
}

// Previous returns the fields of the plan that changed.
func (e MilestoneEdited) Previous() []PreviousValue { return changedFields(e.From, e.To) }

// Previous returns the fields of the report that changed.
func (e MilestoneProgressed) Previous() []PreviousValue { return changedFields(e.From, e.To) }

// Previous returns the reported fields that changed.
func (e MilestoneReported) Previous() []PreviousValue { return changedFields(e.From, e.To) }

// Previous returns the reported fields that changed.
func (e AssessmentReported) Previous() []PreviousValue { return changedFields(e.From, e.To) }

// Previous returns the fields of the assessment that changed; none for the first assessment.
func (e MilestoneAssessed) Previous() []PreviousValue {
	if e.From == (Assessment{}) {
		return nil
	}
	return changedFields(e.From, e.To)
}

// Previous returns the date that was forecast; none for the first forecast.
func (e ForecastMoved) Previous() []PreviousValue { return unlessZero("on", e.From) }

// Previous returns the date of the delivery that was rejected.
func (e MilestoneRejected) Previous() []PreviousValue {
	return []PreviousValue{{"delivered_on", e.DeliveredOn}}
}

// Previous returns the date of the delivery that was withdrawn.
func (e DeliveryWithdrawn) Previous() []PreviousValue {
	return []PreviousValue{{"delivered_on", e.DeliveredOn}}
}

// Previous returns the date of the delivery that was rejected; none for a dispute about a condition.
func (e MilestoneDisputed) Previous() []PreviousValue {
	if e.Condition != 0 {
		return nil
	}
	return []PreviousValue{{"delivered_on", e.DeliveredOn}}
}

// Previous returns the settlement that the partner had named.
func (e OutcomeNamed) Previous() []PreviousValue { return unlessZero("outcome", e.From) }

// Previous returns the state.
func (e MilestoneCancelled) Previous() []PreviousValue { return []PreviousValue{{"state", e.From}} }

// Previous returns the partner's previous result.
func (e CriterionChecked) Previous() []PreviousValue { return unlessZero("result", e.From) }

// Previous returns the partner's previous responsible member.
func (e ResponsibleNamed) Previous() []PreviousValue { return unlessZero("member", e.From) }

// Previous returns the state.
func (e MilestoneDeclined) Previous() []PreviousValue { return []PreviousValue{{"state", e.From}} }

// Previous returns the state.
func (e MilestoneWaived) Previous() []PreviousValue { return []PreviousValue{{"state", e.From}} }
