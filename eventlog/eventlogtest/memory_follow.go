package eventlogtest

import (
	"cmp"
	"context"
	"errors"

	"tandem/eventlog"
)

// followPage is the most entries that one call of deliver gets.
const followPage = 256

// memoryFollower is one call of Follow.
type memoryFollower struct {
	from     eventlog.Positions
	skipped  [eventlog.Partitions]bool // they had an open loss at the call
	live     int                       // entries that were there at the call
	reported int                       // reports that were there at the call
}

// Follow delivers the past after the given positions and then what arrives.
func (m *Memory) Follow(ctx context.Context, from eventlog.Positions, deliver func([]eventlog.Entry) error, onLive func()) error {
	f := &memoryFollower{from: from}
	if err := m.startFollow(ctx, f); err != nil {
		return err
	}
	for next := 0; ; {
		if next >= f.live && onLive != nil {
			onLive()
			onLive = nil
		}
		page, read, more, err := m.page(ctx, next, f)
		if err != nil {
			return err
		}
		next += read
		if len(page) > 0 {
			err = deliver(page)
		} else if read == 0 {
			err = m.await(ctx, more)
		}
		if err != nil {
			return err
		}
	}
}

// startFollow checks the positions and fills in what the follower must know.
func (m *Memory) startFollow(ctx context.Context, f *memoryFollower) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var lost []error
	for i := range f.from {
		stored := &m.store.partitions[i]
		if f.skipped[i] = stored.loss != nil; f.skipped[i] {
			continue
		}
		if loss := stored.missing(eventlog.Partition(i), f.from[i]); loss != nil {
			lost = append(lost, loss)
		}
	}
	f.live, f.reported = len(m.store.entries), len(m.store.reported)
	return cmp.Or(errors.Join(lost...), m.open(ctx))
}

// missing returns a loss unless the partition holds what is known.
func (p *memoryPartition) missing(number eventlog.Partition, known eventlog.Head) *eventlog.LostTailError {
	stored := p.head()
	if known.Seq > 0 && known.Seq <= stored.Seq {
		stored = p.commits[known.Seq-1].Head()
	}
	if known.Seq == 0 || known == stored {
		return nil
	}
	return &eventlog.LostTailError{Partition: number, Known: known, Stored: stored}
}

// lost joins the reports about followed partitions that came since the call. The caller holds m.mu.
func (m *Memory) lost(f *memoryFollower) error {
	var lost []error
	for _, loss := range m.store.reported[f.reported:] {
		if !f.skipped[loss.Partition] {
			lost = append(lost, &loss)
		}
	}
	return errors.Join(lost...)
}

// page takes entries from next on and leaves out what the follower has and the outcomes of before
// it came. With nothing to read it returns the signal to wait for.
func (m *Memory) page(ctx context.Context, next int, f *memoryFollower) (page []eventlog.Entry, read int, more <-chan struct{}, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := cmp.Or(m.open(ctx), m.lost(f)); err != nil {
		return nil, 0, nil, err
	}
	end := min(len(m.store.entries), next+followPage)
	if next < f.live {
		end = min(end, f.live)
	}
	for i, e := range m.store.entries[next:end] {
		wanted := next+i >= f.live
		if e.Commit != nil {
			wanted = e.Commit.Seq > f.from[e.Partition].Seq
		}
		if wanted && !f.skipped[e.Partition] {
			page = append(page, e)
		}
	}
	return page, end - next, m.store.arrived.wait(), nil
}
