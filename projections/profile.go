package projections

import (
	"context"
	"encoding/json"
	"fmt"

	"tandem/domain"
	"tandem/eventlog"
)

// Profile is what is known of a member outside the chain, so that it can be erased: the value
// under its ProfileKey in the key–value space of its partner's directory partition.
type Profile struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

// ProfileKey returns the key of a member's Profile.
func ProfileKey(p domain.PartnerID, m domain.MemberID) string {
	return profilePrefix(p) + string(m)
}

func profilePrefix(p domain.PartnerID) string { return "profile/" + string(p) + "/" }

// Profile returns a member's name and address; both are empty when they were erased.
func (i *Image) Profile(ctx context.Context, p domain.PartnerID, m domain.MemberID) (name, email string, err error) {
	value, err := i.cfg.Log.Get(ctx, directoryOf(p), ProfileKey(p, m))
	if err != nil || value == nil {
		return "", "", err
	}
	profile, err := parseProfile(value)
	return profile.Name, profile.Email, err
}

// FillProfiles sets the names and addresses of a partner's members.
func (i *Image) FillProfiles(ctx context.Context, p domain.PartnerID, members []Member) error {
	values, err := i.cfg.Log.Scan(ctx, directoryOf(p), profilePrefix(p))
	if err != nil {
		return err
	}
	byKey := make(map[string][]byte, len(values))
	for _, kv := range values {
		byKey[kv.Key] = kv.Value
	}
	for n := range members {
		value, ok := byKey[ProfileKey(p, members[n].ID)]
		if !ok {
			continue
		}
		profile, err := parseProfile(value)
		if err != nil {
			return err
		}
		members[n].Name, members[n].Email = profile.Name, profile.Email
	}
	return nil
}

func directoryOf(p domain.PartnerID) eventlog.Partition {
	return eventlog.PartitionOf(domain.Stream{Partner: p}.Root())
}

func parseProfile(value []byte) (p Profile, err error) {
	if err := json.Unmarshal(value, &p); err != nil {
		return Profile{}, fmt.Errorf("a stored profile: %w", err)
	}
	return p, nil
}
