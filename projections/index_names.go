package projections

import (
	"sync"
	"sync/atomic"

	"tandem/domain"
)

// memberNames holds the display names of members, so that no rendering reads the log. They can be erased, so they are
// kept in memory only, never in a snapshot. The past shows the present names.
type memberNames struct {
	known   sync.Map      // memberName by domain.MemberRef
	version atomic.Uint64 // increases when a name is replaced or erased
}

// memberName is how others see a member.
type memberName struct {
	name   string
	former bool // the member was removed, and the name erased
}

// formerMember is the display name of a removed member in responses that are the same in every language.
const formerMember = "former member"

// of returns the name of a member; zero for a program, the operator, the system and a member without a name.
func (n *memberNames) of(ref domain.MemberRef) memberName {
	name, _ := n.known.Load(ref)
	known, _ := name.(memberName)
	known.name = domain.PlainMemberName(known.name)
	return known
}

// set sets the name of a member and reports whether it replaced another one.
func (n *memberNames) set(ref domain.MemberRef, name string) (replaced bool) {
	before, existed := n.known.Swap(ref, memberName{name: name})
	if replaced = existed && before != any(memberName{name: name}); replaced {
		n.version.Add(1)
	}
	return replaced
}

// erase makes a member a former one.
func (n *memberNames) erase(ref domain.MemberRef) {
	n.known.Store(ref, memberName{former: true})
	n.version.Add(1)
}

// NamesVersion increases when a display name is replaced or erased; events rendered before are stale then.
func (n *memberNames) NamesVersion() uint64 { return n.version.Load() }

// eraseRemoved makes the removed members of a partner former ones.
func (n *memberNames) eraseRemoved(members map[domain.MemberID]*domain.Member) {
	for _, member := range members {
		if member.Removed {
			n.erase(member.Ref)
		}
	}
}
