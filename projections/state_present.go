package projections

import (
	"maps"
	"slices"
	"sync"
	"time"

	"tandem/domain"
	"tandem/eventlog"
)

// present is the current store and its lock.
type present struct {
	mu    sync.RWMutex // guards store, and the pointer to it
	store *store
}

// Head returns the last commit of a partition that is applied.
func (p *present) Head(partition eventlog.Partition) eventlog.Head {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.store.heads[partition]
}

func (p *present) heads() eventlog.Positions {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.store.heads
}

// StreamVersion returns the number of commits of a stream that are applied. The partition must be the
// stream's.
func (p *present) StreamVersion(_ eventlog.Partition, stream string) uint64 {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if node, ok := p.store.streams[stream]; ok {
		return node.version
	}
	return 0
}

// Empty reports whether no commit is applied.
func (p *present) Empty() bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.store.heads == eventlog.Positions{}
}

// State returns the entities of one partition, on which its owner decides. For streams of other partitions
// it returns nil. It is safe for concurrent use, and the entities do not change once the read model is
// live.
func (p *present) State(partition eventlog.Partition) domain.State {
	return partitionState{p, partition}
}

// ReadersOf returns the partners that can see, or could see, an event of the agreement.
func (p *present) ReadersOf(agreement domain.AgreementID) []domain.PartnerID {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if node := p.store.agreements[agreement]; node != nil {
		return slices.Collect(maps.Keys(node.index.readers))
	}
	return nil
}

// NamesKnown reports whether the names of all partners are known: no partition was lost before a commit of it was applied.
func (p *present) NamesKnown() bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return !p.store.lostUnseen
}

// NameTaken reports whether another partner than the given one has a name, or keeps a former one, with one of the keys.
func (p *present) NameTaken(by domain.PartnerID, keys []string, keysOf func(string) []string) bool {
	p.mu.RLock()
	others := make([]*domain.Partner, 0, len(p.store.partners))
	for id, partner := range p.store.partners {
		if id != by && partner.entity != nil {
			others = append(others, partner.entity)
		}
	}
	p.mu.RUnlock() // keysOf may take some microseconds for each name
	return slices.ContainsFunc(others, func(other *domain.Partner) bool { return other.HasName(keys, keysOf) })
}

// Partner returns a partner, or nil if it does not exist.
func (p *present) Partner(id domain.PartnerID) *domain.Partner {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.store.Partner(id)
}

// FindInvitation returns the invitation whose code has the given SHA-256; false if there is none.
func (p *present) FindInvitation(hash [32]byte) (ref domain.InvitationRef, invitation domain.Invitation, found bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if ref, found = p.store.invitations[hash]; !found {
		return ref, invitation, false
	}
	return ref, *p.store.Partner(ref.Partner).Invitation(ref.Invitation), true
}

// Zone returns a partner's time zone, or UTC for an unknown partner.
func (p *present) Zone(partner domain.PartnerID) *time.Location {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if node := p.store.partners[partner]; node != nil {
		return node.zone
	}
	return time.UTC
}

// Webhook returns a webhook, or nil if it does not exist or is removed.
func (p *present) Webhook(ref domain.WebhookRef) *domain.Webhook {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if webhook := p.store.Webhook(ref); webhook != nil && !webhook.Removed {
		return webhook
	}
	return nil
}

// WebhooksIn returns the webhooks of all partners whose directories lie in a partition, without removed ones.
// They do not change once the read model is live. The result can change when a commit of such a directory is
// applied; see [Config.Applied].
func (p *present) WebhooksIn(partition eventlog.Partition) []*domain.Webhook {
	p.mu.RLock()
	defer p.mu.RUnlock()
	var all []*domain.Webhook
	for _, directory := range p.store.directoriesIn[partition] {
		all = directory.appendWebhooks(all)
	}
	return all
}

// change calls write under the lock, then wakes the readers that can see a change.
func (p *present) change(write func(*store) error) error {
	p.mu.Lock()
	err := write(p.store)
	woken := p.store.toWake
	p.store.toWake = nil
	p.mu.Unlock()
	for _, channel := range woken {
		close(channel)
	}
	return err
}
