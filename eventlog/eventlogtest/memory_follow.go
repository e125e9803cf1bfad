package eventlogtest

import (
	"context"

	"tandem/eventlog"
)

// followPage is the most entries that one call of deliver gets.
const followPage = 256

// Follow delivers the past after the given positions and then what arrives.
func (m *Memory) Follow(ctx context.Context, from eventlog.Positions, deliver func([]eventlog.Entry) error, onLive func()) error {
	live, err := m.startFollow(ctx, &from)
	if err != nil {
		return err
	}
	for next := 0; ; {
		if next >= live && onLive != nil {
			onLive()
			onLive = nil
		}
		page, read, more, err := m.page(ctx, next, live, &from)
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

// startFollow checks the positions and returns how many entries are the past.
func (m *Memory) startFollow(ctx context.Context, from *eventlog.Positions) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, known := range from {
		p, stored := eventlog.Partition(i), &m.store.partitions[i]
		if known.Seq > stored.head().Seq {
			return 0, &eventlog.LostTailError{Partition: p, Known: known, Stored: stored.head()}
		}
		if known.Seq > 0 && stored.commits[known.Seq-1].Hash != known.Hash {
			return 0, &eventlog.LostTailError{Partition: p, Known: known, Stored: stored.commits[known.Seq-1].Head()}
		}
	}
	return len(m.store.entries), m.open(ctx)
}

// page takes entries from next on and leaves out what the follower has and the outcomes of before
// it came. With nothing to read it returns the signal to wait for.
func (m *Memory) page(ctx context.Context, next, live int, from *eventlog.Positions) (page []eventlog.Entry, read int, more <-chan struct{}, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.open(ctx); err != nil {
		return nil, 0, nil, err
	}
	end := min(len(m.store.entries), next+followPage)
	if next < live {
		end = min(end, live)
	}
	for i, e := range m.store.entries[next:end] {
		wanted := next+i >= live
		if e.Commit != nil {
			wanted = e.Commit.Seq > from[e.Partition].Seq
		}
		if wanted {
			page = append(page, e)
		}
	}
	return page, end - next, m.store.arrived.wait(), nil
}
