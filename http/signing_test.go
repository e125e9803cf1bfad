package http

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"
)

// hashOf returns the SHA-256 of a canonical document, which is in the form of RFC 8785.
func hashOf(t *testing.T, a *answer) string {
	t.Helper()
	value := jsontext.Value(a.body).Clone()
	require.NoError(t, value.Canonicalize())
	require.Equal(t, string(value), string(a.body))
	return fmt.Sprintf("%x", sha256.Sum256(a.body))
}

// R5: a signature has the name of its signatory, both dates and the hash of the terms. A party that may not see an
// instrument signs its hash.
func TestSignedTerms(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	draft := w.As("nokia").POST("/v1/agreements", object{
		"title": "Größe & Form", "parties": []string{"nokia", "xiaomi", "zte"}, "effective_on": "2017-07-05",
		"acceptance_days": 10, "deemed_acceptance": false, "forecast_tolerance_days": 0,
		"documents": []object{{"title": "Agreement", "url": "https://files.example/agreement.pdf?a=1&b=2"}},
	}).Want(201).location()
	w.As("nokia").POST(draft+"/instruments", object{
		"id": "supply", "kind": "supply", "title": "Hidden supply", "effective_on": "2017-07-05", "disclosure": "undisclosed",
		"roles": object{"supplier": []string{"nokia"}, "customer": []string{"xiaomi"}},
	}).Want(201)

	terms := w.As("zte").GET(draft + "/terms").Want(200)
	require.Equal(t, string(w.As("nokia").GET(draft+"/terms").Want(200).body), string(terms.body))
	require.NotContains(t, string(terms.body), "Hidden")
	hash := hashOf(t, terms)
	require.Equal(t, hash, w.As("zte").GET(draft).Want(200).get("terms_sha256"))
	part := w.As("xiaomi").GET(draft + "/instruments/supply").Want(200).text("terms_sha256")
	require.Equal(t, []any{part}, terms.get("instruments"))
	require.Equal(t, part, hashOf(t, w.As("xiaomi").GET(draft+"/terms?part="+part).Want(200)))
	w.As("zte").GET(draft + "/terms?part=" + part).Want(404)
	w.As("nokia").GET(draft + "/terms?part=" + hash).Want(404)

	signed := w.As("zte").POST(draft+"/sign", object{"signed_on": "2017-09-01"}).Want(200).get("signatures").(object)["zte"].(object)
	require.Equal(t, "Signer of zte", signed["signatory"], "the name of the member")
	require.Equal(t, "2017-09-01", signed["signed_on"])
	require.NotNil(t, signed["recorded_at"])
	require.Equal(t, hash, signed["terms_sha256"])
	require.Nil(t, signed["result_sha256"])
}

// R5: a program, a token of the operator and a member without the permission sign for no partner.
func TestWhoMaySign(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	signatory := object{"signatory": "Chief executive"}
	for _, who := range []string{"nokia-limited", "nokia-office"} {
		w.As(who).POST(w.at(w.three)+"/sign", signatory).Refused(403, "may_not_sign")
		w.As(who).POST(w.at(w.three)+"/terminate", object{"mode": "mutual", "effective_on": "2041-06-30"}).Refused(403, "may_not_sign")
	}
	w.As("nokia-office").POST(w.at(w.three)+"/sign", nil).Refused(422, "invalid_field").Names("signatory")
}

// R5: the document of terms that were signed stays available after an edit or an amendment replaces them, to the
// partners that were parties to them and with the parts that each may see in full.
func TestFormerTerms(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	draft := w.As("nokia").POST("/v1/agreements", object{
		"title": "Former terms", "parties": []string{"nokia", "xiaomi", "zte"}, "effective_on": "2017-07-05", "expires_on": "2040-12-31",
		"acceptance_days": 10, "deemed_acceptance": false, "forecast_tolerance_days": 0,
	}).Want(201).location()
	w.As("nokia").POST(draft+"/instruments", object{
		"id": "supply", "kind": "supply", "title": "Hidden supply", "effective_on": "2017-07-05", "disclosure": "undisclosed",
		"roles": object{"supplier": []string{"nokia"}, "customer": []string{"xiaomi"}},
	}).Want(201)
	part := w.As("xiaomi").GET(draft + "/instruments/supply").Want(200).text("terms_sha256")
	unsigned := w.As("nokia").GET(draft).Want(200).text("terms_sha256")
	w.As("nokia").PATCH(draft, object{"title": "Former signed terms"}).Want(200)
	signed := string(w.As("nokia").GET(draft + "/terms").Want(200).body)
	hash := w.As("nokia").POST(draft+"/sign", nil).Want(200).text("terms_sha256")
	w.As("nokia").PATCH(draft, object{"acceptance_days": 12}).Want(200)
	inForce := string(w.As("nokia").GET(draft + "/terms").Want(200).body)
	var present string
	for _, partner := range []string{"nokia", "xiaomi", "zte"} {
		present = w.As(partner).POST(draft+"/sign", nil).Want(200).text("terms_sha256")
	}
	amendment := w.As("nokia").POST(draft+"/amendments", object{"title": "Longer", "changes": object{"acceptance_days": 15}}).Want(201).location()
	for _, partner := range []string{"nokia", "xiaomi", "zte"} {
		w.As(partner).POST(amendment+"/sign", nil).Want(200)
	}
	latest := w.As("zte").GET(draft).Want(200).text("terms_sha256")
	require.NotEqual(t, present, latest)

	for sum, document := range map[string]string{hash: signed, present: inForce, latest: string(w.As("zte").GET(draft + "/terms").Want(200).body)} {
		for _, partner := range []string{"nokia", "xiaomi", "zte"} {
			answer := w.As(partner).GET(draft + "/terms?sha256=" + sum).Want(200)
			require.Equal(t, document, string(answer.body))
			require.Equal(t, sum, hashOf(t, answer))
		}
		require.Equal(t, part, hashOf(t, w.As("xiaomi").GET(draft+"/terms?sha256="+sum+"&part="+part).Want(200)))
		w.As("zte").GET(draft + "/terms?sha256=" + sum + "&part=" + part).Want(404)
		w.As("acme").GET(draft + "/terms?sha256=" + sum).Want(404)
	}
	w.As("nokia").GET(draft + "/terms?sha256=" + unsigned).Want(404)
	w.As("nokia").GET(draft + "/terms?sha256=" + part).Want(404)
}
