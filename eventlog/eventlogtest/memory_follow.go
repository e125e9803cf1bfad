package eventlogtest

import (
	"cmp"
	"context"
	"errors"

	"tandem/eventlog"
)

// followPage is the maximum number of entries in one call of handle.
const followPage = 256

// memoryFollower is one call of Follow.
type memoryFollower struct {
	from        eventlog.Positions
	skipped     [eventlog.Partitions]bool // had an open loss at the call
	liveAt      int                       // number of entries at the call
	reportsSeen int                       // number of reports at the call
}

// Follow calls handle with the entries after the given positions and then with new ones.
func (m *Memory) Follow(ctx context.Context, from eventlog.Positions, handle func([]eventlog.Entry) error, onLive func()) error {
	follower := &memoryFollower{from: from}
	if err := m.startFollow(ctx, follower); err != nil {
		return err
	}
	for next := 0; ; {
		if next >= follower.liveAt && onLive != nil {
			onLive()
			onLive = nil
		}
		page, read, more, err := m.nextEntries(ctx, next, follower)
		if err != nil {
			return err
		}
		next += read
		if len(page) > 0 {
			err = handle(page)
		} else if read == 0 {
			err = m.await(ctx, more)
		}
		if err != nil {
			return err
		}
	}
}

// startFollow checks the positions and initialises the follower.
func (m *Memory) startFollow(ctx context.Context, follower *memoryFollower) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var lost []error
	for i := range follower.from {
		stored := &m.store.partitions[i]
		if follower.skipped[i] = stored.loss != nil; follower.skipped[i] {
			continue
		}
		if loss := stored.checkPosition(eventlog.Partition(i), follower.from[i]); loss != nil {
			lost = append(lost, loss)
		}
	}
	follower.liveAt, follower.reportsSeen = len(m.store.entries), len(m.store.reported)
	return cmp.Or(errors.Join(lost...), m.checkOpen(ctx))
}

// checkPosition returns a loss unless the partition has the known commit.
func (p *memoryPartition) checkPosition(number eventlog.Partition, known eventlog.Head) *eventlog.LostTailError {
	stored := p.head()
	if known.Seq > 0 && known.Seq <= stored.Seq {
		stored = p.commits[known.Seq-1].Head()
	}
	if known.Seq == 0 || known == stored {
		return nil
	}
	return &eventlog.LostTailError{Partition: number, Known: known, Stored: stored}
}

// reportedLosses joins the losses of followed partitions that were reported since the call. The caller holds m.mu.
func (m *Memory) reportedLosses(follower *memoryFollower) error {
	var lost []error
	for _, loss := range m.store.reported[follower.reportsSeen:] {
		if !follower.skipped[loss.Partition] {
			lost = append(lost, &loss)
		}
	}
	return errors.Join(lost...)
}

// nextEntries returns entries from number next on, without those that the follower has or skips. If there are none,
// more signals the next one.
func (m *Memory) nextEntries(ctx context.Context, next int, follower *memoryFollower) (page []eventlog.Entry, read int, more <-chan struct{}, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := cmp.Or(m.checkOpen(ctx), m.reportedLosses(follower)); err != nil {
		return nil, 0, nil, err
	}
	end := min(len(m.store.entries), next+followPage)
	if next < follower.liveAt {
		end = min(end, follower.liveAt)
	}
	for i, entry := range m.store.entries[next:end] {
		wanted := next+i >= follower.liveAt
		if entry.Commit != nil {
			wanted = entry.Commit.Seq > follower.from[entry.Partition].Seq
		}
		if wanted && !follower.skipped[entry.Partition] {
			page = append(page, entry)
		}
	}
	return page, end - next, m.store.arrived.wait(), nil
}
