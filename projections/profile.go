package projections

import (
	"context"
	"fmt"

	"tandem/domain"
	"tandem/eventlog"
)

// What is known of a member beside its role is kept outside the chain, so that it can be erased: as
// text under NameKey and EmailKey in the key–value space of its partner's directory partition. The
// keys are two, so that changing one cannot undo a change of the other. They are read when they are
// asked for and kept nowhere: not in the image, nor in snapshots, nor in pages.

// NameKey returns the key of a member's name.
func NameKey(p domain.PartnerID, m domain.MemberID) string { return profilePrefix(p, m) + "name" }

// EmailKey returns the key of a member's address.
func EmailKey(p domain.PartnerID, m domain.MemberID) string { return profilePrefix(p, m) + "email" }

func profilePrefix(p domain.PartnerID, m domain.MemberID) string {
	return "profile/" + string(p) + "/" + string(m) + "/"
}

// Profile returns a member's name and address; both are empty when they were erased.
func (i *Image) Profile(ctx context.Context, p domain.PartnerID, m domain.MemberID) (name, email string, err error) {
	one := []Member{{ID: m}}
	err = i.fill(ctx, p, profilePrefix(p, m), one)
	return one[0].Name, one[0].Email, err
}

// FillProfiles sets the names and addresses of a partner's members.
func (i *Image) FillProfiles(ctx context.Context, p domain.PartnerID, members []Member) error {
	return i.fill(ctx, p, "profile/"+string(p)+"/", members)
}

func (i *Image) fill(ctx context.Context, p domain.PartnerID, prefix string, members []Member) error {
	entries, err := i.cfg.Log.Scan(ctx, directoryOf(p), prefix)
	if err != nil {
		return fmt.Errorf("read the profiles: %w", unreadable(err))
	}
	values := make(map[string]string, len(entries))
	for _, kv := range entries {
		values[kv.Key] = string(kv.Value)
	}
	for n := range members {
		members[n].Name, members[n].Email = values[NameKey(p, members[n].ID)], values[EmailKey(p, members[n].ID)]
	}
	return nil
}

func directoryOf(p domain.PartnerID) eventlog.Partition {
	return eventlog.PartitionOf(domain.Stream{Partner: p}.Root())
}
