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

// keys derives everything that a command generates from the installation key, so that a repeated
// command generates the same. Nobody without the key can foretell or check any of it.
type keys struct{ secret []byte }

// derive returns the HMAC of the parts, each with its length before it, so that no two lists of
// parts are the same bytes. The first part says what the result is for.
func (k keys) derive(parts ...string) (sum [sha256.Size]byte) {
	mac := hmac.New(sha256.New, k.secret)
	var n [8]byte
	for _, p := range parts {
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		mac.Write(n[:])
		mac.Write([]byte(p))
	}
	mac.Sum(sum[:0])
	return sum
}

// command returns the id of the command behind an idempotency key, which belongs to one member
// and one root.
func (k keys) command(a domain.Actor, root, key string) (id eventlog.CommandID) {
	sum := k.derive("command", string(a.Role), string(a.Partner), string(a.Member), root, key)
	copy(id[:], sum[:])
	return id
}

// random returns the id of a command that came without a key.
func (keys) random() (eventlog.CommandID, error) {
	id, err := uuid.NewV7()
	return eventlog.CommandID(id), err
}

const suffixLength = 8

// suffix returns 8 characters of a-z and 2-7 that only the holder of the installation key could
// guess: 40 bits. Numbered, there are several for one command.
func (k keys) suffix(purpose string, id eventlog.CommandID, n int) string {
	sum := k.derive("suffix", purpose, string(id[:]), strconv.Itoa(n))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:suffixLength*5/8]))
}

// token returns the bearer token that the command issues: 256 bits that cannot be guessed.
func (k keys) token(id eventlog.CommandID) string {
	sum := k.derive("token", string(id[:]))
	return "tdm_" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// fingerprint tells one request from another that used the same key. It stays in the chain: without
// the installation key nobody can find out by trying which name or address a request had.
func (k keys) fingerprint(method, path, ifMatch string, body []byte) (f eventlog.Fingerprint) {
	sum := k.derive("fingerprint", method, path, ifMatch, string(body))
	copy(f[:], sum[:])
	return f
}

// suffixed returns base with a suffix, cut so that the result can still be an id.
func suffixed(base, suffix string) string {
	if room := domain.MaxSlug - len(suffix) - 1; len(base) > room {
		base = strings.TrimRight(base[:room], "-")
	}
	return base + "-" + suffix
}

// given returns the id that the client chose or else one from the title; one character and a
// suffix when the title has nothing that an id can have.
func (k keys) given(id, title, kind string, cmd eventlog.CommandID) string {
	if id != "" {
		return id
	}
	if slug := domain.Slug(title); slug != "" {
		return slug
	}
	return kind + "-" + k.suffix("id", cmd, 0)
}

// agreement returns the id of an agreement that is not an operator's: suffixed, so that ids cannot
// be probed. The suffix also puts the agreement into the partition that the command id names;
// so a repeat under the same key meets the record of the first request whatever it is called.
func (k keys) agreement(base string, cmd eventlog.CommandID) domain.AgreementID {
	want := eventlog.Partition(cmd[len(cmd)-1] % eventlog.Partitions)
	for n := 0; ; n++ {
		id := suffixed(base, k.suffix("agreement", cmd, n))
		if eventlog.PartitionOf(domain.Stream{Agreement: domain.AgreementID(id)}.Root()) == want {
			return domain.AgreementID(id)
		}
	}
}
