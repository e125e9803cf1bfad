package projections

import (
	"time"

	"tandem/api"
	"tandem/domain"
)

// creation returns the creation of an entity as the viewer may know it.
func (v *View) creation(versions domain.Versions) api.Creation {
	creation, seen := versions.CreationFor(v.viewer.Partner)
	if !seen {
		return api.Creation{}
	}
	return v.creationShape(creation)
}

func (v *View) creationShape(creation domain.Creation) api.Creation {
	at := time.UnixMicro(creation.At).UTC()
	return api.Creation{CreatedAt: &at, CreatedBy: v.author(creation.Partner, creation.Member)}
}

// author returns a member or a program of a partner; nil for the operator and the system.
func (v *View) author(partner domain.PartnerID, member domain.MemberID) *api.Author {
	if partner == "" {
		return nil
	}
	return &api.Author{Partner: partner, Member: member, MemberName: v.memberName(domain.MemberRef{Partner: partner, Member: member})}
}

// memberName returns the display name of a member; nil for a program.
func (v *View) memberName(ref domain.MemberRef) *string {
	known := v.store.names.of(ref)
	if known.former {
		return new(formerMember)
	}
	return nilIfZero(known.name)
}
