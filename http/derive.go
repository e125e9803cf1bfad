package http

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"tandem/domain"
	"tandem/eventlog"
)

// deriver derives everything that a command generates from the installation key, so that a repeated
// command generates the same. Nobody without the key can foretell or check any of it.
type deriver struct{ secret []byte }

// mac returns the HMAC of the parts, each with its length before it, so that no two lists of
// parts are the same bytes. The first part says what the result is for.
func (d deriver) mac(parts ...string) (sum [sha256.Size]byte) {
	mac := hmac.New(sha256.New, d.secret)
	var length [8]byte
	for _, part := range parts {
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		mac.Write(length[:])
		mac.Write([]byte(part))
	}
	mac.Sum(sum[:0])
	return sum
}

// commandID returns the id of the command behind an idempotency key, which belongs to one member
// and one root.
func (d deriver) commandID(actor domain.Actor, root, key string) (id eventlog.CommandID) {
	sum := d.mac("command", string(actor.Role), string(actor.Partner), string(actor.Member), root, key)
	copy(id[:], sum[:])
	return id
}

// randomCommandID returns the id of a command that came without a key.
func (deriver) randomCommandID() (eventlog.CommandID, error) {
	id, err := uuid.NewV7()
	return eventlog.CommandID(id), err
}

const suffixLength = 8

// suffix returns 8 characters of a-z and 2-7 that only the holder of the installation key could
// guess: 40 bits. Numbered, there are several for one command.
func (d deriver) suffix(purpose string, id eventlog.CommandID, n int) string {
	sum := d.mac("suffix", purpose, string(id[:]), strconv.Itoa(n))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:suffixLength*5/8]))
}

// token returns the bearer token that the command issues: 256 bits that cannot be guessed.
func (d deriver) token(id eventlog.CommandID) string {
	sum := d.mac("token", string(id[:]))
	return "tdm_" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// fingerprint tells one request from another that used the same key. It stays in the chain: without
// the installation key nobody can find out by trying which name or address a request had.
func (d deriver) fingerprint(method, path, ifMatch string, body []byte) (fingerprint eventlog.Fingerprint) {
	sum := d.mac("fingerprint", method, path, ifMatch, string(body))
	copy(fingerprint[:], sum[:])
	return fingerprint
}

// withSuffix returns base with a suffix, cut so that the result can still be an id.
func withSuffix(base, suffix string) string {
	if room := domain.MaxSlug - len(suffix) - 1; len(base) > room {
		base = strings.TrimRight(base[:room], "-")
	}
	return base + "-" + suffix
}

// resourceID returns the id that the client chose or else one from the title; one character and a
// suffix when the title has nothing that an id can have.
func (d deriver) resourceID(id, title, kind string, cmd eventlog.CommandID) string {
	if id != "" {
		return id
	}
	if slug := domain.Slug(title); slug != "" {
		return slug
	}
	return kind + "-" + d.suffix("id", cmd, 0)
}

// agreementID returns the id of an agreement that is not an operator's: suffixed, so that ids cannot
// be probed. The suffix also puts the agreement into the partition that the command id names;
// so a repeat under the same key meets the record of the first request whatever it is called.
func (d deriver) agreementID(base string, cmd eventlog.CommandID) domain.AgreementID {
	want := eventlog.Partition(cmd[len(cmd)-1] % eventlog.Partitions)
	for n := 0; ; n++ {
		id := withSuffix(base, d.suffix("agreement", cmd, n))
		if eventlog.PartitionOf(domain.Stream{Agreement: domain.AgreementID(id)}.Root()) == want {
			return domain.AgreementID(id)
		}
	}
}
