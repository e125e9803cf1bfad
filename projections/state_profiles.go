package projections

import (
	"context"
	"fmt"

	"tandem/api"
	"tandem/domain"
	"tandem/eventlog"
)

// NameKey returns the key of a member's name.
func NameKey(partner domain.PartnerID, member domain.MemberID) string {
	return profilePrefix(partner, member) + "name"
}

// EmailKey returns the key of a member's address.
func EmailKey(partner domain.PartnerID, member domain.MemberID) string {
	return profilePrefix(partner, member) + "email"
}

// profileKeys is the prefix of the keys of names and addresses.
const profileKeys = "profile/"

func profilePrefix(partner domain.PartnerID, member domain.MemberID) string {
	return profileKeys + string(partner) + "/" + string(member) + "/"
}

// profiles reads the names and addresses of members. They are personal data that can be erased, so they are not part
// of events but values in the key-value space of the directory's partition, under NameKey and EmailKey. Two keys
// allow concurrent changes of both. Addresses are never cached; names are kept in memory only, see memberNames.
type profiles struct{ log Log }

// Profile returns a member's name and address; an erased one is empty. If the log
// cannot be read the error is an ErrUnreadable.
func (p *profiles) Profile(ctx context.Context, partner domain.PartnerID, member domain.MemberID) (name, email string, err error) {
	one := []api.Member{{ID: member}}
	err = p.fill(ctx, partner, profilePrefix(partner, member), one)
	return one[0].Name, one[0].Email, err
}

// FillProfiles sets the names and addresses of a partner's members. If the log cannot be read the error is an
// ErrUnreadable.
func (p *profiles) FillProfiles(ctx context.Context, partner domain.PartnerID, members []api.Member) error {
	return p.fill(ctx, partner, profileKeys+string(partner)+"/", members)
}

func (p *profiles) fill(ctx context.Context, partner domain.PartnerID, prefix string, members []api.Member) error {
	entries, err := p.log.Scan(ctx, DirectoryOf(partner), prefix)
	if err != nil {
		return fmt.Errorf("read the profiles: %w", unreadable(err))
	}
	values := make(map[string]string, len(entries))
	for _, kv := range entries {
		values[kv.Key] = string(kv.Value)
	}
	for n := range members {
		members[n].Name, members[n].Email = values[NameKey(partner, members[n].ID)], values[EmailKey(partner, members[n].ID)]
	}
	return nil
}

// DirectoryOf returns the partition of a partner's directory, whose owner runs the partner's webhooks.
func DirectoryOf(partner domain.PartnerID) eventlog.Partition {
	return eventlog.PartitionOf(domain.Stream{Partner: partner}.Root())
}
