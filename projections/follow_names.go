package projections

import (
	"context"
	"fmt"
	"strings"
	"time"

	"tandem/domain"
	"tandem/eventlog"
)

// nameReader reads the display names of members from the log.
type nameReader struct {
	log       Log
	names     *memberNames
	onFailure func(error) // called before a read is repeated
}

// readAll reads the names of all members.
func (r *nameReader) readAll(ctx context.Context) error {
	for partition := range eventlog.Partition(eventlog.Partitions) {
		entries, err := r.log.Scan(ctx, partition, profileKeys)
		if err != nil {
			return fmt.Errorf("read the names of members: %w", unreadable(err))
		}
		for _, kv := range entries {
			if ref, ok := memberOfNameKey(kv.Key); ok {
				r.names.set(ref, string(kv.Value))
			}
		}
	}
	return nil
}

// memberOfNameKey parses the result of NameKey.
func memberOfNameKey(key string) (ref domain.MemberRef, ok bool) {
	parts := strings.Split(strings.TrimPrefix(key, profileKeys), "/")
	if len(parts) != 3 || parts[2] != "name" {
		return ref, false
	}
	return domain.MemberRef{Partner: domain.PartnerID(parts[0]), Member: domain.MemberID(parts[1])}, true
}

// readChanged reads the names of the members that a group of entries adds or edits, and returns those of which another
// name was known. It repeats a failed read, because following the log would fail as well; the error is that of ctx.
func (r *nameReader) readChanged(ctx context.Context, group *entryGroup) (renamed []domain.MemberRef, err error) {
	rest := group.payloads
	for _, entry := range group.entries {
		if entry.Commit == nil {
			continue
		}
		for i, event := range entry.Commit.Events {
			switch rest[i].(type) {
			case domain.MemberAdded, domain.MemberEdited:
				ref := domain.MemberRef{Partner: domain.PartnerID(strings.TrimPrefix(entry.Commit.Stream, "partner/")), Member: domain.MemberID(event.Subject)}
				replaced, err := r.read(ctx, ref)
				if err != nil {
					return nil, err
				}
				if replaced {
					renamed = append(renamed, ref)
				}
			}
		}
		rest = rest[len(entry.Commit.Events):]
	}
	return renamed, nil
}

// nameRetry is the time between two attempts to read a name.
const nameRetry = time.Second

func (r *nameReader) read(ctx context.Context, ref domain.MemberRef) (replaced bool, err error) {
	for {
		value, err := r.log.Get(ctx, DirectoryOf(ref.Partner), NameKey(ref.Partner, ref.Member))
		if err == nil {
			return r.names.set(ref, string(value)), nil
		}
		r.onFailure(err)
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(nameRetry):
		}
	}
}
