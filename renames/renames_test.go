package renames_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tandem/bus"
	"tandem/domain"
	"tandem/eventlog"
	"tandem/renames"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a read model and a bus that records each rename, after some failures.
type fake struct {
	mu       sync.Mutex
	pending  map[eventlog.Partition][]domain.RenameParty
	owned    map[eventlog.Partition]bool
	failures int
	requests []bus.Request
	done     chan struct{} // receives a value for each recorded rename
}

func (f *fake) PendingRenames(partition eventlog.Partition, _ time.Time) []domain.RenameParty {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.pending[partition])
}

func (f *fake) Owns(partition eventlog.Partition) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.owned[partition]
}

func (f *fake) Do(_ context.Context, request bus.Request) (bus.Result, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, request)
	if f.failures > 0 {
		f.failures--
		return bus.Result{}, errors.Join(bus.ErrOutcomeUnknown, errors.New("the connection broke"))
	}
	for partition, list := range f.pending {
		f.pending[partition] = slices.DeleteFunc(list, func(command domain.RenameParty) bool { return request.Command == command })
	}
	f.done <- struct{}{}
	return bus.Result{}, nil
}

func rename(agreement domain.AgreementID, number int) domain.RenameParty {
	return domain.RenameParty{AgreementID: agreement, Rename: domain.PartyRename{Party: "nokia", Number: number, From: "Nokia", To: "Nokia Networks"}}
}

func start(t *testing.T, f *fake, interval time.Duration) *renames.Recorder {
	f.done = make(chan struct{}, 100)
	recorder := renames.New(renames.Config{ReadModel: f, Bus: f, Now: time.Now, Logger: slog.New(slog.DiscardHandler), Interval: interval})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- recorder.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	return recorder
}

// A start records what is missing, in owned partitions only, and an outcome that was lost is tried again with the same
// command.
func TestRecorderRecordsWhatIsMissing(t *testing.T) {
	f := &fake{
		pending: map[eventlog.Partition][]domain.RenameParty{3: {rename("a", 1), rename("b", 1), rename("a", 2)}, 4: {rename("c", 1)}},
		owned:   map[eventlog.Partition]bool{3: true}, failures: 1,
	}
	start(t, f, time.Millisecond)
	for range 3 {
		<-f.done
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	require.Empty(t, f.pending[3])
	require.Len(t, f.pending[4], 1)
	ids := map[domain.RenameParty]eventlog.CommandID{}
	for _, request := range f.requests {
		command := request.Command.(domain.RenameParty)
		if id, before := ids[command]; before {
			require.Equal(t, id, request.ID)
		}
		ids[command] = request.ID
		require.Equal(t, domain.System, request.Actor.Role)
	}
	require.Len(t, ids, 3)
	require.NotEqual(t, ids[rename("a", 1)], ids[rename("a", 2)])
}

func TestRecorderWakesForARename(t *testing.T) {
	f := &fake{pending: map[eventlog.Partition][]domain.RenameParty{}, owned: map[eventlog.Partition]bool{3: true}}
	recorder := start(t, f, time.Hour)
	f.mu.Lock()
	f.pending[3] = []domain.RenameParty{rename("a", 1)}
	f.mu.Unlock()
	recorder.Applied([]eventlog.Entry{{}, {Commit: &eventlog.Commit{Events: []eventlog.Event{{Type: "partner.edited.v1"}}}}})
	<-f.done
}
