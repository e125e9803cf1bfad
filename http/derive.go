package http

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"
	"unicode"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"tandem/domain"
	"tandem/eventlog"
)

// deriver derives all generated values of a command from the installation key, so that a repeated command generates
// the same values. Without the key they can neither be predicted nor verified.
type deriver struct{ secret []byte }

// mac returns the HMAC of the parts, each prefixed with its length, so that different lists have different encodings.
// The first part names the purpose.
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

// commandID returns the id of the command for an idempotency key of a member and a root.
func (d deriver) commandID(actor domain.Actor, root, key string) (id eventlog.CommandID) {
	sum := d.mac("command", string(actor.Role), string(actor.Partner), string(actor.Member), root, key)
	copy(id[:], sum[:])
	return id
}

// randomCommandID returns the id of a command without a key.
func (deriver) randomCommandID() (eventlog.CommandID, error) {
	id, err := uuid.NewV7()
	return eventlog.CommandID(id), err
}

// nameCommandID returns the id of the command that reserves the name which another command needs.
func (d deriver) nameCommandID(id eventlog.CommandID) (derived eventlog.CommandID) {
	sum := d.mac("name", string(id[:]))
	copy(derived[:], sum[:])
	return derived
}

// invitationCode returns the code of the invitation that the command creates: 256 bits that cannot be guessed.
func (d deriver) invitationCode(id eventlog.CommandID) string {
	sum := d.mac("invitation", string(id[:]))
	return "tdi_" + base64.RawURLEncoding.EncodeToString(sum[:])
}

const suffixLength = 8

// suffix returns 8 characters of a-z and 2-7 (40 bits), which cannot be predicted without the installation key. n
// numbers the suffixes of one command.
func (d deriver) suffix(purpose string, id eventlog.CommandID, n int) string {
	sum := d.mac("suffix", purpose, string(id[:]), strconv.Itoa(n))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:suffixLength*5/8]))
}

// salt returns the salt of the n-th instrument that a command adds.
func (d deriver) salt(id eventlog.CommandID, n int) string {
	sum := d.mac("salt", string(id[:]), strconv.Itoa(n))
	return hex.EncodeToString(sum[:16])
}

// token returns the bearer token that the command issues: 256 bits that cannot be guessed.
func (d deriver) token(id eventlog.CommandID) string {
	sum := d.mac("token", string(id[:]))
	return "tdm_" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// fingerprint distinguishes requests under the same key. It is stored in the chain; without the installation key it
// cannot be used to test guesses of a name or address in the request.
func (d deriver) fingerprint(method, path, ifMatch string, body []byte) (fingerprint eventlog.Fingerprint) {
	sum := d.mac("fingerprint", method, path, ifMatch, string(body))
	copy(fingerprint[:], sum[:])
	return fingerprint
}

// withSuffix returns base with a suffix, truncated so that the result is a valid id.
func withSuffix(base, suffix string) string {
	if room := domain.MaxSlug - len(suffix) - 1; len(base) > room {
		base = strings.TrimRight(base[:room], "-")
	}
	return base + "-" + suffix
}

// resourceID returns the client's id, or one derived from the title. It has a suffix if the title has letters that the
// id cannot contain, or no characters of an id at all.
func (d deriver) resourceID(id, title, kind string, cmd eventlog.CommandID) string {
	if id != "" {
		return id
	}
	slug, complete := slugOf(title)
	if complete && slug != "" {
		return slug
	}
	return withSuffix(cmp.Or(slug, kind), d.suffix("id", cmd, 0))
}

// create plans the creation of a resource with the client's id or a derived one. A derived id that is taken gets a
// suffix; the owner decides it with the command. A hidden resource has a suffix in any case: resources that the caller
// cannot see are hidden ones, so that a suffix discloses none of them.
func (c *writeCall) create(id, title, kind string, hidden bool, plan func(id string) (*intent, error)) (*intent, error) {
	base := c.derive.resourceID(id, title, kind, c.commandID)
	if hidden && domain.ValidSlug(base) {
		if id == "" {
			base = slugOr(title, kind)
		}
		return plan(withSuffix(base, c.derive.suffix(kind, c.commandID, 0)))
	}
	intent, err := plan(base)
	if err != nil || id != "" {
		return intent, err
	}
	intent.ifTaken, err = plan(withSuffix(base, c.derive.suffix("taken", c.commandID, 0)))
	return intent, err
}

// slugOr returns the beginning of an id that will get a suffix: derived from the title, or else the kind.
func slugOr(title, kind string) string {
	slug, _ := slugOf(title)
	return cmp.Or(slug, kind)
}

// slugOf derives an id from a title: ASCII letters in lower case and digits; each run of other characters between them
// becomes one hyphen. Letters lose their marks or are written with ASCII letters: ä becomes a, ß ss. It is incomplete if
// the title has letters or digits that cannot be written in this way. It is empty if no character is left.
func slugOf(title string) (id string, complete bool) {
	var slug strings.Builder
	hyphen := false
	complete = true
	for _, char := range asciiLetters.Replace(norm.NFKD.String(strings.ToLower(title))) {
		switch {
		case unicode.Is(unicode.Mn, char):
			continue
		case (char < 'a' || char > 'z') && (char < '0' || char > '9'):
			hyphen = slug.Len() > 0
			complete = complete && !unicode.IsLetter(char) && !unicode.IsNumber(char) && !unicode.IsMark(char)
			continue
		}
		if hyphen {
			slug.WriteByte('-')
			hyphen = false
		}
		if slug.WriteRune(char); slug.Len() >= domain.MaxSlug {
			break
		}
	}
	return strings.TrimRight(slug.String()[:min(slug.Len(), domain.MaxSlug)], "-"), complete
}

// asciiLetters writes Latin letters that have no decomposition.
var asciiLetters = strings.NewReplacer(
	"ß", "ss", "æ", "ae", "œ", "oe", "ø", "o", "ł", "l", "đ", "d", "ð", "d", "þ", "th", "ħ", "h", "ı", "i", "ŋ", "n", "ŧ", "t", "ƒ", "f",
)

// agreementID returns the id of an agreement that was not created by an operator. Its suffix prevents probing, and
// places the agreement in the partition derived from the command id, so that a repeat under the same key finds the
// receipt of the first request whatever its title.
func (d deriver) agreementID(base string, cmd eventlog.CommandID) domain.AgreementID {
	want := eventlog.Partition(cmd[len(cmd)-1] % eventlog.Partitions)
	for n := 0; ; n++ {
		id := withSuffix(base, d.suffix("agreement", cmd, n))
		if eventlog.PartitionOf(domain.Stream{Agreement: domain.AgreementID(id)}.Root()) == want {
			return domain.AgreementID(id)
		}
	}
}
