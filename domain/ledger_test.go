package domain

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/stretchr/testify/require"
)

// ledger decides commands and folds their events in three ways, and checks that they agree: into a plain world,
// into a fork ahead of the durable state, and from stored bytes.
type ledger struct {
	t      require.TestingT
	plain  *World
	base   *World // the durable state: a few commits behind
	fork   *World
	commit uint64
	at     time.Time
	log    []storedEvent
	folded int            // number of events of the log in base
	handed map[any]string // entities returned by the plain world, with their JSON at that time
}

// storedEvent is an event as stored in the log.
type storedEvent struct {
	Header
	stored string
	data   []byte
}

// lag is how many commits the durable state is behind.
const lag = 2

func newLedger(t require.TestingT) *ledger {
	base := NewWorld()
	return &ledger{t: t, plain: NewWorld(), base: base, fork: NewFork(base), handed: map[any]string{}}
}

// do decides the command from its encoded form, as the bus does, and folds its events.
func (l *ledger) do(command Command, dc DecisionContext) ([]Event, *Error) {
	command = viaWire(l.t, command)
	before := l.plain.entities()
	events, err := Decide(l.plain, command, dc)
	ahead, errAhead := Decide(l.fork, command, dc)
	require.Equal(l.t, err, errAhead, "plain world and fork decide alike")
	require.Equal(l.t, events, ahead, "plain world and fork decide alike")
	require.Equal(l.t, before, l.plain.entities(), "deciding changes nothing")
	if err != nil {
		var refusal *Error
		require.True(l.t, errors.As(err, &refusal), "%T is not a refusal", err)
		require.Empty(l.t, events)
		require.NotEmpty(l.t, refusal.Code)
		require.NotEmpty(l.t, refusal.Detail)
		return nil, refusal
	}
	l.record(command.Stream(), dc, events)
	return events, nil
}

func viaWire(t require.TestingT, command Command) Command {
	name, data, err := EncodeCommand(command)
	require.NoError(t, err)
	command, err = DecodeCommand(name, data)
	require.NoError(t, err)
	return command
}

func (l *ledger) record(s Stream, dc DecisionContext, events []Event) {
	l.commit++
	l.at = later(dc.At, l.at.Add(time.Microsecond))
	for _, event := range events {
		header := Header{s, l.commit, event.Subject, event.Audience, dc.Actor.Partner, dc.Actor.Member, l.at}
		l.plain.Apply(header, event.Payload)
		l.fork.Apply(header, event.Payload)
		stored, data, err := EncodeEvent(event.Payload)
		require.NoError(l.t, err)
		l.log = append(l.log, storedEvent{header, stored, data})
	}
	for _, entity := range l.plain.pointers() {
		if _, known := l.handed[entity]; !known {
			l.handed[entity] = text(l.t, entity)
		}
	}
	l.settle(l.commit - min(lag, l.commit))
}

// settle folds the log up to the given commit into the durable state.
func (l *ledger) settle(commit uint64) {
	for ; l.folded < len(l.log) && l.log[l.folded].Commit <= commit; l.folded++ {
		l.log[l.folded].foldInto(l.t, l.base)
	}
	l.fork.Prune(commit)
}

func (e storedEvent) foldInto(t require.TestingT, world *World) {
	payload, err := DecodeEvent(e.stored, e.data)
	require.NoError(t, err)
	world.Apply(e.Header, payload)
}

// check compares the states of all ways to fold the history.
func (l *ledger) check() {
	replayed, inPlace := NewWorld(), NewWorld()
	inPlace.ReplaceInPlace(true)
	for _, e := range l.log {
		e.foldInto(l.t, replayed)
		e.foldInto(l.t, inPlace)
	}
	want := l.plain.entities()
	require.Equal(l.t, want, replayed.entities(), "a replay gives the same state")
	require.Equal(l.t, want, inPlace.entities(), "a replay in place gives the same state")
	require.Equal(l.t, want, l.fork.entities(), "a fork ahead of its base gives the same state")
	l.settle(l.commit)
	require.Empty(l.t, l.fork.pointers(), "a fork forgets what its base holds")
	require.Equal(l.t, want, l.base.entities(), "the base gives the same state")
	for entity, then := range l.handed {
		require.Equal(l.t, then, text(l.t, entity), "an entity that was handed out never changes")
	}
}

func text(t require.TestingT, x any) string {
	data, err := json.Marshal(x)
	require.NoError(t, err)
	return string(data)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// entities returns copies of all entities of the world and its bases.
func (w *World) entities() map[any]any {
	all := map[any]any{}
	if base, ok := w.base.(*World); ok {
		all = base.entities()
	}
	values(all, w.partners)
	values(all, w.members)
	values(all, w.tokens)
	values(all, w.webhooks)
	values(all, w.names)
	values(all, w.agreements)
	values(all, w.projects)
	values(all, w.milestones)
	return all
}

func values[K comparable, V any](all map[any]any, entities table[K, V]) {
	for key, entry := range entities {
		all[key] = *entry.value
	}
}

// pointers returns the entities of this world without its base.
func (w *World) pointers() map[any]any {
	all := map[any]any{}
	pointersOf(all, w.partners)
	pointersOf(all, w.members)
	pointersOf(all, w.tokens)
	pointersOf(all, w.webhooks)
	pointersOf(all, w.names)
	pointersOf(all, w.agreements)
	pointersOf(all, w.projects)
	pointersOf(all, w.milestones)
	return all
}

func pointersOf[K comparable, V any](all map[any]any, entities table[K, V]) {
	for key, entry := range entities {
		all[key] = entry.value
	}
}
