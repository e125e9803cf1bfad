package http

import (
	"context"
	"time"

	"tandem/domain"
	"tandem/eventlog"
	"tandem/lookalike"
)

// reserveName reserves a partner's name in the register of names and waits for it, so that no other partner gets a name
// that looks the same meanwhile. A caller that may not name the partner reserves none; the command itself is then
// refused. So it is for an invalid name. A name that the partner has already needs no reservation.
func (c *writeCall) reserveName(id domain.PartnerID, name string) (none domain.NameReservation, err error) {
	command := domain.ReserveName{Partner: id, Keys: lookalike.Keys(name)}
	actor := c.commandActor(domain.EditPartner{PartnerID: id})
	if !domain.ValidPartnerName(name) || len(command.Keys) == 0 || !mayName(actor, id) {
		return none, nil
	}
	if present := c.cfg.ReadModel.Partner(id); present != nil && present.Name == name {
		return none, nil
	}
	if model := c.cfg.ReadModel; !model.NamesKnown() || !model.Intact(domain.NameRegister) || !model.Intact(id.Stream()) {
		return none, errHistoryLost
	}
	for _, part := range append(lookalike.InBrackets(name), name) {
		if c.cfg.ReadModel.NameTaken(id, lookalike.Keys(part), lookalike.Keys) {
			return none, domain.ErrNameTaken()
		}
	}
	request := c.busRequest(&intent{command: command})
	request.ID, request.IfMatch, request.Actor = c.derive.nameCommandID(c.commandID), nil, actor
	ctx, cancel := context.WithTimeout(c.request.Context(), defaultWait)
	defer cancel()
	result, err := c.cfg.Commands.Do(ctx, request)
	switch {
	case err != nil:
		return none, err
	case result.Rejection != nil:
		return none, result.Rejection
	}
	reservation := domain.NameReservation{Keys: command.Keys, At: request.RequestedAt}
	if result.Repeat {
		reservation.At = c.reservedAt(id, command.Keys)
	}
	return reservation, nil
}

// mayName reports whether the actor may name the partner.
func mayName(actor domain.Actor, id domain.PartnerID) bool {
	return actor.Role == domain.Operator || (actor.Role == domain.Manager && actor.Partner == id)
}

// reservedAt returns when a partner reserved a name, which a repeat does not reserve again; the zero time if another
// partner has reserved it since.
func (c *writeCall) reservedAt(id domain.PartnerID, keys []string) (at time.Time) {
	for _, key := range keys {
		reserved := c.cfg.ReadModel.State(eventlog.PartitionOf(domain.NameRegister.Root())).ReservedName(key)
		if reserved == nil || reserved.Partner != id {
			return time.Time{}
		}
		at = reserved.At
	}
	return at
}
