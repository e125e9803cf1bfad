package http

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"tandem/api"
	"tandem/domain"
)

const (
	slugPattern  = `[a-z0-9][a-z0-9-]{0,62}`
	schemaPrefix = "#/components/schemas/"
)

// schemas generates the description's schemas from Go types and is huma's registry of them. Requests and responses
// have a registry each over the same map: a request with an undescribed field is refused, while a response may get
// more fields later.
type schemas struct {
	request bool
	named   map[string]*huma.Schema
	goTypes map[string]reflect.Type
	err     *error // the first error; huma's interface cannot return one
}

func newSchemas() (requests, answers *schemas) {
	requests = &schemas{
		request: true, named: make(map[string]*huma.Schema), goTypes: make(map[string]reflect.Type), err: new(error),
	}
	other := *requests
	other.request = false
	return requests, &other
}

// Schema implements huma.Registry: named structs become references.
func (s *schemas) Schema(typ reflect.Type, allowRef bool, _ string) *huma.Schema {
	pointer := typ.Kind() == reflect.Pointer
	of := typ
	if pointer {
		of = typ.Elem()
	}
	if scalar := s.scalar(of); scalar != nil {
		scalar.Nullable = pointer
		return scalar
	}
	if of.Kind() != reflect.Struct || of.PkgPath() == "time" {
		made := huma.SchemaFromType(s, typ)
		if made.Type == huma.TypeArray {
			made.Nullable = false // a list is never null in a response
		}
		return made
	}
	ref := s.reference(of)
	switch {
	case !allowRef:
		return s.SchemaFromRef(ref)
	case pointer && !s.request:
		return &huma.Schema{AnyOf: []*huma.Schema{{Ref: ref}, {Type: "null"}}}
	}
	return &huma.Schema{Ref: ref}
}

// scalar describes the domain's string types; nil for other types.
func (s *schemas) scalar(typ reflect.Type) *huma.Schema {
	switch typ {
	case reflect.TypeFor[domain.Date]():
		return &huma.Schema{Type: huma.TypeString, Format: "date"}
	case reflect.TypeFor[domain.Audience]():
		if s.request {
			return &huma.Schema{Type: huma.TypeString, Pattern: "^(shared|private|private:" + slugPattern + ")$"}
		}
		return &huma.Schema{Type: huma.TypeString, Pattern: "^(shared|public|private:" + slugPattern + ")$"}
	case reflect.TypeFor[domain.PartnerID](), reflect.TypeFor[domain.MemberID](), reflect.TypeFor[domain.TokenID](), reflect.TypeFor[domain.WebhookID](),
		reflect.TypeFor[domain.AgreementID](), reflect.TypeFor[domain.InstrumentID](), reflect.TypeFor[domain.ItemID](),
		reflect.TypeFor[domain.ProjectID](), reflect.TypeFor[domain.MilestoneID]():
		return &huma.Schema{Type: huma.TypeString, Pattern: "^" + slugPattern + "$"}
	}
	return nil
}

// reference returns the reference to a struct's schema, and generates the schema on first use.
func (s *schemas) reference(typ reflect.Type) string {
	name := s.nameOf(typ)
	if there, taken := s.goTypes[name]; taken {
		if there != typ && *s.err == nil {
			*s.err = fmt.Errorf("%s and %s have the same name in the description: %s", there, typ, name)
		}
		return schemaPrefix + name
	}
	s.goTypes[name] = typ
	if typ == reflect.TypeFor[api.Event]() {
		s.named[name] = s.events()
	} else {
		s.named[name] = s.object(typ)
	}
	return schemaPrefix + name
}

// nameOf returns the name of a struct's schema. Request bodies and stored types get a suffix or prefix, because they
// can have the same Go name as a response.
func (s *schemas) nameOf(typ reflect.Type) string {
	switch {
	case s.request:
		return strings.TrimSuffix(typ.Name(), "Input") + "Input"
	case typ.PkgPath() == reflect.TypeFor[domain.Date]().PkgPath():
		return typ.Name() + "Data"
	}
	return typ.Name()
}

func (s *schemas) object(typ reflect.Type) *huma.Schema {
	made := huma.SchemaFromType(s, typ)
	if !s.request {
		made.AdditionalProperties = nil
	}
	for _, property := range made.Properties {
		if property.Nullable && len(property.Enum) > 0 {
			property.Enum = append(property.Enum, nil)
		}
	}
	if typ == reflect.TypeFor[domain.ChangeFields]() { // an empty id removes the reference
		for _, name := range []string{"instrument", "schedule_item"} {
			made.Properties[name].Pattern = "^(" + slugPattern + ")?$"
		}
	}
	return made
}

// events describes an event as one of all types, each with its own data: of any version of a type that has several.
func (s *schemas) events() *huma.Schema {
	base := s.object(reflect.TypeFor[api.Event]())
	union := &huma.Schema{
		Description:   "One event of the history; type determines its data.",
		Discriminator: &huma.Discriminator{PropertyName: "type", Mapping: make(map[string]string)},
	}
	for _, stored := range domain.EventTypes() {
		payload, err := domain.DecodeEvent(stored, []byte("{}"))
		if err != nil {
			*s.err = err
			return union
		}
		public := domain.PublicType(stored)
		if earlier := s.named[eventName(public)]; earlier != nil {
			earlier.Properties["data"] = &huma.Schema{AnyOf: []*huma.Schema{s.Schema(reflect.TypeOf(payload), true, ""), earlier.Properties["data"]}}
			continue
		}
		one := *base
		one.Properties = maps.Clone(base.Properties)
		one.Properties["type"] = &huma.Schema{Type: huma.TypeString, Const: public}
		one.Properties["data"] = s.Schema(reflect.TypeOf(payload), true, "")
		name := eventName(public)
		s.named[name], s.goTypes[name] = &one, reflect.TypeOf(payload)
		union.OneOf = append(union.OneOf, &huma.Schema{Ref: schemaPrefix + name})
		union.Discriminator.Mapping[public] = schemaPrefix + name
	}
	return union
}

// eventName converts milestone.forecast_moved to MilestoneForecastMovedEvent.
func eventName(public string) string {
	var out strings.Builder
	for word := range strings.FieldsFuncSeq(public, func(char rune) bool { return char == '.' || char == '_' }) {
		out.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return out.String() + "Event"
}

// SchemaFromRef implements huma.Registry.
func (s *schemas) SchemaFromRef(ref string) *huma.Schema {
	return s.named[strings.TrimPrefix(ref, schemaPrefix)]
}

// TypeFromRef implements huma.Registry.
func (s *schemas) TypeFromRef(ref string) reflect.Type {
	return s.goTypes[strings.TrimPrefix(ref, schemaPrefix)]
}

// Map implements huma.Registry.
func (s *schemas) Map() map[string]*huma.Schema { return s.named }

// RegisterTypeAlias implements huma.Registry. It has no effect, because scalar describes all aliases.
func (s *schemas) RegisterTypeAlias(_, _ reflect.Type) {}

// MarshalJSON writes the schemas by name.
func (s *schemas) MarshalJSON() ([]byte, error) { return json.Marshal(s.named) }
