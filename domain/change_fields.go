package domain

import (
	"reflect"
	"slices"
	"strings"
)

// coveredField is one field that change control covers, with its index in [ChangeFields] and in [Plan].
type coveredField struct {
	name             string // JSON name
	selection, field int
}

var coveredFields = func() []coveredField {
	planned := map[string]int{}
	plan, selection := reflect.TypeFor[Plan](), reflect.TypeFor[ChangeFields]()
	for i := range plan.NumField() {
		planned[jsonName(plan.Field(i))] = i
	}
	fields := make([]coveredField, selection.NumField())
	for i := range fields {
		name := jsonName(selection.Field(i))
		fields[i] = coveredField{name, i, planned[name]}
	}
	return fields
}()

func jsonName(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return name
}

// CoveredFields returns the JSON names of the fields that change control covers, in the order of [ChangeFields].
func CoveredFields() []string {
	names := make([]string, len(coveredFields))
	for i, field := range coveredFields {
		names[i] = field.name
	}
	return names
}

// hasFields reports whether any field is selected.
func (c ChangeFields) hasFields() bool {
	selection := reflect.ValueOf(c)
	return slices.ContainsFunc(coveredFields, func(field coveredField) bool { return !selection.Field(field.selection).IsZero() })
}

// applyTo returns the plan with the selected fields replaced.
func (c ChangeFields) applyTo(plan Plan) Plan {
	selection, target := reflect.ValueOf(c), reflect.ValueOf(&plan).Elem()
	for _, field := range coveredFields {
		if value := selection.Field(field.selection); !value.IsZero() {
			target.Field(field.field).Set(plannedValue(value))
		}
	}
	return plan
}

// plannedValue returns a selected value as a plan holds it: without the pointer, and nil for an empty list.
func plannedValue(value reflect.Value) reflect.Value {
	value = reflect.Indirect(value)
	if value.Kind() == reflect.Slice && value.Len() == 0 {
		return reflect.Zero(value.Type())
	}
	return value
}

// selected returns the fields of the plan for which the function returns true.
func (p Plan) selected(include func(coveredField) bool) (c ChangeFields) {
	plan, selection := reflect.ValueOf(p), reflect.ValueOf(&c).Elem()
	for _, field := range coveredFields {
		if !include(field) {
			continue
		}
		value, target := plan.Field(field.field), selection.Field(field.selection)
		if target.Kind() != reflect.Pointer {
			target.Set(value)
			continue
		}
		target.Set(reflect.New(value.Type()))
		if target.Elem().Set(value); value.Kind() == reflect.Slice && value.IsNil() {
			target.Elem().Set(reflect.MakeSlice(value.Type(), 0, 0)) // an empty list in JSON, not null
		}
	}
	return c
}

// allFields selects all fields of the plan.
func allFields(plan Plan) ChangeFields {
	return plan.selected(func(coveredField) bool { return true })
}

// diffPlans returns the fields that differ, with their old and new values. An item or a clause comes with its
// instrument, without which it means nothing.
func diffPlans(from, to Plan) (before, after ChangeFields) {
	part := from.ScheduleItem != to.ScheduleItem || from.Clause != to.Clause
	differs := func(field coveredField) bool { return !field.equal(from, to) || part && field.name == "instrument" }
	return from.selected(differs), to.selected(differs)
}

func (f coveredField) equal(one, other Plan) bool {
	return reflect.DeepEqual(plannedValue(reflect.ValueOf(one).Field(f.field)).Interface(), plannedValue(reflect.ValueOf(other).Field(f.field)).Interface())
}

// changedField returns the first field whose value in plan is not the proposal's From; empty: none.
func (c ProposedChange) changedField(plan Plan) string {
	before := c.From.applyTo(plan)
	for _, field := range coveredFields {
		if !field.equal(before, plan) {
			return field.name
		}
	}
	return ""
}
