package http

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// refused is a well-formed request that a rule refuses.
type refused struct {
	who, method, path string
	body              any
	match             string // If-Match
	status            int
	code              string
	fields            string
}

func (w *world) refusals() []refused {
	var all []refused
	for _, more := range [][]refused{w.directoryRefusals(), webhookRefusals(), w.agreementRefusals(), w.projectRefusals(), w.instrumentRefusals(), w.milestoneRefusals(), w.decisionRefusals(), w.changeRefusals(), w.amendmentRefusals()} {
		all = append(all, more...)
	}
	return all
}

// with returns the object with some fields changed; nil leaves one out.
func (o body) with(more object) object {
	out := object{}
	for _, fields := range []object{object(o), more} {
		for k, v := range fields {
			if out[k] = v; v == nil {
				delete(out, k)
			}
		}
	}
	return out
}

type body object

func (w *world) directoryRefusals() []refused {
	partner := body{"id": "sony", "name": "Sony", "country": "JP", "time_zone": "Asia/Tokyo"}
	token := body{"name": "New", "role": "viewer"}
	member := body{"name": "N", "email": "n@nokia.example", "role": "viewer"}
	const nokia, members, tokens = "/v1/partners/nokia", "/v1/partners/nokia/members", "/v1/partners/nokia/tokens"
	const announced = nokia + "/notices/token-nokia-manager/dismiss"
	person := members + "/" + w.members["nokia"]
	return []refused{
		{"operator", "POST", "/v1/partners", partner.with(object{"id": "nokia"}), "", 409, "partner_exists", ""},
		{"nokia", "POST", "/v1/partners", partner.with(nil), "", 403, "operator_only", ""},
		{"nokia", "POST", "/v1/partners", partner.with(object{"id": "nokia"}), "", 403, "operator_only", ""},
		{"operator", "POST", "/v1/partners", partner.with(object{"time_zone": "Local"}), "", 422, "invalid_field", "time_zone"},
		{"operator", "POST", "/v1/partners", partner.with(object{"id": "So Ny", "name": " ", "country": "Japan"}), "", 422, "invalid_field", "id name country"},
		{"operator", "POST", "/v1/partners", partner.with(object{"name": w.name("nokia")}), "", 409, "name_taken", ""},
		{"xiaomi", "PATCH", "/v1/partners/xiaomi", object{"name": strings.ToUpper(w.name("nokia")) + "\u200b"}, "", 409, "name_taken", ""},
		{"acme", "PATCH", "/v1/partners/acme", object{"name": w.name("nokia")}, "", 409, "name_taken", ""},
		{"acme", "PATCH", nokia, object{"name": w.name("xiaomi")}, "", 404, "not_found", ""},
		{"xiaomi", "PATCH", nokia, object{"name": w.name("acme")}, "", 403, "not_your_partner", ""},
		{"nokia-viewer", "PATCH", nokia, object{"name": w.name("xiaomi")}, "", 403, "manager_only", ""},
		{"nokia", "POST", nokia + "/invitations", object{"expires_in_days": 91}, "", 422, "invalid_field", "expires_in_days"},
		{"nokia", "POST", nokia + "/invitations", object{"note": "a\nb"}, "", 422, "invalid_field", "note"},
		{"nokia-viewer", "POST", nokia + "/invitations", object{}, "", 403, "manager_only", ""},
		{"operator", "POST", nokia + "/invitations", object{}, "", 404, "not_found", ""},
		{"nokia-viewer", "DELETE", w.openInvitation("nokia"), nil, "", 403, "manager_only", ""},
		{"xiaomi", "DELETE", w.openInvitation("nokia"), nil, "", 404, "not_found", ""},
		{"nokia", "POST", nokia + "/contacts", object{"code": "tdi_unknown"}, "", 422, "invalid_code", ""},
		{"nokia-viewer", "POST", nokia + "/contacts", object{"code": "tdi_unknown"}, "", 403, "manager_only", ""},
		{"operator", "POST", nokia + "/contacts", object{"code": "tdi_unknown"}, "", 404, "not_found", ""},
		{"nokia", "PATCH", nokia, object{}, "", 422, "nothing_to_change", ""},
		{"nokia", "PATCH", nokia, object{"time_zone": "Mars/Base"}, "", 422, "invalid_field", "time_zone"},
		{"nokia", "PATCH", nokia, object{"country": "fi"}, `"99-x"`, 422, "invalid_field", "country"},
		{"nokia", "PATCH", nokia, object{"country": "SE"}, `"99-x"`, 412, "version_mismatch", ""},
		{"nokia-viewer", "PATCH", nokia, object{"country": "SE"}, `"99-x"`, 403, "manager_only", ""},
		{"nokia-limited", "PATCH", nokia, object{"country": "SE"}, "", 403, "token_limited", ""},
		{"xiaomi", "PATCH", nokia, object{"country": "SE"}, "", 403, "not_your_partner", ""},
		{"acme", "PATCH", nokia, object{"country": "SE"}, "", 404, "not_found", ""},
		{"nokia", "POST", members, member.with(object{"role": "operator"}), "", 422, "invalid_field", "role"},
		{"nokia", "POST", members, member.with(object{"name": "", "email": "nokia"}), "", 422, "invalid_field", "name email"},
		{"nokia-limited", "POST", members, member.with(nil), "", 403, "token_limited", ""},
		{"xiaomi", "POST", members, member.with(nil), "", 404, "not_found", ""},
		{"nokia", "PATCH", person, object{}, "", 422, "nothing_to_change", ""},
		{"nokia", "PATCH", person, object{"email": "a b"}, "", 422, "invalid_field", "email"},
		{"nokia", "PATCH", person, object{"role": "viewer"}, `"7-x"`, 412, "version_mismatch", ""},
		{"nokia", "DELETE", members + "/nobody", nil, "", 404, "not_found", ""},
		{"nokia", "DELETE", person, nil, `"7-x"`, 412, "version_mismatch", ""},
		{"nokia-viewer", "DELETE", person, nil, "", 403, "manager_only", ""},
		{"nokia", "POST", tokens, token.with(object{"id": "nokia-spare"}), "", 409, "token_exists", ""},
		{"nokia", "POST", tokens, token.with(object{"id": "nokia-revoked"}), "", 409, "token_exists", ""},
		{"nokia", "POST", tokens, token.with(object{"member": "nobody"}), "", 422, "invalid_field", "member"},
		{"nokia", "POST", tokens, token.with(object{"member": w.members["xiaomi"]}), "", 422, "invalid_field", "member"},
		{"nokia", "POST", tokens, token.with(object{"expires_at": "2017-01-01T00:00:00Z"}), "", 422, "invalid_field", "expires_at"},
		{"nokia", "POST", tokens, token.with(object{"agreements": []string{w.other}}), "", 422, "invalid_field", "agreements"},
		{"nokia", "POST", tokens, token.with(object{"agreements": []string{"nothing"}}), "", 422, "invalid_field", "agreements"},
		{"nokia-limited", "POST", tokens, token.with(nil), "", 403, "token_limited", ""},
		{"nokia", "POST", tokens + "/nokia-revoked/confirm", nil, "", 404, "not_found", ""},
		{"nokia-office", "POST", tokens + "/nokia-spare/confirm", nil, `"7-x"`, 412, "version_mismatch", ""},
		{"nokia-viewer", "POST", tokens + "/nokia-spare/confirm", nil, "", 403, "manager_only", ""},
		{"nokia", "DELETE", tokens + "/nokia-spare", nil, `"7-x"`, 412, "version_mismatch", ""},
		{"nokia", "DELETE", tokens + "/nokia-revoked", nil, "", 404, "not_found", ""},
		{"nokia-viewer", "DELETE", tokens + "/nokia-spare", nil, "", 403, "manager_only", ""},
		{"nokia-viewer", "POST", announced, nil, "", 403, "manager_only", ""},
		{"nokia-limited", "POST", announced, nil, "", 404, "not_found", ""},
		{"operator", "POST", announced, nil, "", 404, "not_found", ""},
		{"xiaomi", "POST", announced, nil, "", 404, "not_found", ""},
		{"nokia", "POST", nokia + "/notices/token-nokia-spare/dismiss", nil, "", 404, "not_found", ""},
	}
}

func (w *world) agreementRefusals() []refused {
	draft := body{"title": "New", "parties": []string{"nokia", "xiaomi"}, "effective_on": "2018-01-01", "acceptance_days": 5, "deemed_acceptance": false, "forecast_tolerance_days": 0}
	part := body{"kind": "exploration", "title": "New", "effective_on": "2018-01-01", "disclosure": "disclosed"}
	const all = "/v1/agreements"
	return []refused{
		{"operator", "POST", all, draft.with(object{"id": w.a}), "", 409, "agreement_exists", ""},
		{"nokia", "POST", all, draft.with(object{"id": "No Id"}), "", 422, "invalid_field", "id"},
		{"nokia", "POST", all, draft.with(object{"parties": []string{"xiaomi", "zte"}}), "", 403, "not_a_party", ""},
		{"nokia", "POST", all, draft.with(object{"parties": []string{"nokia", "acme"}}), "", 422, "unknown_partner", "parties"},
		{"nokia", "POST", all, draft.with(object{"parties": []string{"nokia"}}), "", 422, "invalid_field", "parties"},
		{"nokia", "POST", all, draft.with(object{"parties": []string{"nokia", "nokia"}}), "", 422, "invalid_field", "parties"},
		{"nokia", "POST", all, draft.with(object{"expires_on": "2017-01-01", "acceptance_days": -1}), "", 422, "invalid_field", "expires_on acceptance_days"},
		{"nokia", "POST", all, draft.with(object{"title": nil, "effective_on": nil, "acceptance_days": "many"}), "", 422, "invalid_field", "title effective_on acceptance_days"},
		{"nokia-viewer", "POST", all, draft.with(nil), "", 403, "manager_only", ""},
		{"nokia-limited", "POST", all, draft.with(object{"parties": []string{"nokia", "zte"}}), "", 403, "token_limited", ""},
		{"nokia", "PATCH", w.at(w.next), object{}, "", 422, "nothing_to_change", ""},
		{"nokia", "PATCH", w.at(w.next), object{"parties": []string{"xiaomi", "zte"}}, "", 422, "invalid_field", "parties"},
		{"nokia", "PATCH", w.at(w.next), object{"parties": []string{"nokia", "acme"}}, "", 422, "unknown_partner", "parties"},
		{"nokia", "PATCH", w.at(w.next), object{"title": "New"}, `"99-x"`, 412, "version_mismatch", ""},
		{"nokia", "PATCH", w.at(w.a), object{"title": "New"}, `"99-x"`, 412, "version_mismatch", ""},
		{"nokia", "PATCH", w.at(w.a), object{"title": "New"}, "", 409, "agreement_signed", ""},
		{"operator", "PATCH", w.at(w.next), object{"title": "New"}, "", 404, "not_found", ""},
		{"nokia", "POST", all, draft.with(object{"term": "undisclosed", "expires_on": "2020-01-01", "notice_days": -1}), "", 422, "invalid_field", "term notice_days"},
		{"nokia", "PATCH", w.at(w.next), object{"term": "fixed"}, "", 422, "invalid_field", "term"},
		{"nokia", "PATCH", w.at(w.next), object{"effective_on": "2017-07-06"}, "", 422, "invalid_field", "effective_on"},
		{"xiaomi", "POST", w.at(w.next) + "/decline", object{"reason": ""}, "", 422, "invalid_field", "reason"},
		{"nokia", "POST", w.at(w.next) + "/decline", object{"reason": "too early"}, "", 409, "own_draft", ""},
		{"xiaomi", "POST", w.at(w.next) + "/withdraw", nil, "", 409, "not_drafter", ""},
		{"nokia", "POST", w.at(w.a) + "/decline", object{"reason": "too early"}, "", 409, "agreement_signed", ""},
		{"nokia", "POST", w.at(w.next) + "/sign", object{"signed_on": "2017-09-05"}, "", 422, "invalid_field", "signed_on"},
		{"nokia", "POST", w.at(w.a) + "/sign", object{}, "", 409, "already_signed", ""},
		{"nokia-viewer", "POST", w.at(w.a) + "/sign", object{}, "", 403, "manager_only", ""},
		{"nokia", "POST", w.at(w.a) + "/contact-persons", object{"members": []string{"stranger"}}, "", 422, "invalid_field", "members"},
		{"nokia", "POST", w.at(w.a) + "/contact-persons", object{"members": []string{w.members["xiaomi"]}}, "", 422, "invalid_field", "members"},
		{"nokia", "POST", w.at(w.a) + "/contact-persons", object{"members": []string{w.members["nokia"], w.members["nokia"]}}, "", 422, "invalid_field", "members"},
		{"nokia", "POST", w.at(w.a) + "/contact-persons", object{"members": []string{}}, "", 409, "nothing_changes", ""},
		{"nokia", "POST", w.at(w.a) + "/contact-persons", object{"members": []string{}}, `"99-x"`, 412, "version_mismatch", ""},
		{"nokia-viewer", "POST", w.at(w.a) + "/contact-persons", object{"members": []string{}}, "", 403, "manager_only", ""},
		{"zte", "POST", w.at(w.a) + "/contact-persons", object{"members": []string{}}, "", 404, "not_found", ""},
		{"nokia", "POST", w.at(w.next) + "/instruments", part.with(object{"id": "joint"}), "", 409, "instrument_exists", ""},
		{"nokia", "POST", w.at(w.a) + "/instruments", part.with(nil), "", 409, "agreement_signed", ""},
		{"nokia", "POST", w.at(w.next) + "/instruments", part.with(object{"kind": "supply"}), "", 422, "invalid_field", "roles roles"},
		{"nokia", "POST", w.at(w.next) + "/instruments", part.with(object{"kind": "gift", "disclosure": "no"}), "", 422, "invalid_field", "kind disclosure"},
		{"nokia", "POST", w.at(w.next) + "/instruments", part.with(object{"kind": "supply", "roles": object{"supplier": []string{"acme"}, "customer": []string{"nokia"}}}), "", 422, "invalid_field", "roles"},
	}
}

func (w *world) instrumentRefusals() []refused {
	joint, draft := w.at(w.a)+"/instruments/joint", w.at(w.next)+"/instruments/joint"
	lot, delivered := joint+"/schedule/lot", object{"state": "delivered"}
	return []refused{
		{"nokia", "DELETE", joint, nil, "", 409, "agreement_signed", ""},
		{"nokia", "PATCH", joint, object{"title": "New"}, "", 409, "agreement_signed", ""},
		{"nokia", "PATCH", draft, object{"effective_on": "2017-07-04"}, "", 422, "invalid_field", "effective_on"},
		{"nokia-viewer", "DELETE", draft, nil, "", 403, "manager_only", ""},
		{"nokia", "PATCH", lot, delivered, "", 409, "item_open", ""},
		{"nokia", "PATCH", lot, delivered, `"99-x"`, 412, "version_mismatch", ""},
		{"nokia", "PATCH", lot, object{"state": "planned"}, "", 422, "invalid_field", "state"},
		{"nokia", "PATCH", lot, object{"state": "recorded"}, "", 422, "invalid_field", "state"},
		{"nokia-viewer", "PATCH", lot, delivered, "", 403, "manager_only", ""},
		{"zte", "PATCH", lot, delivered, "", 404, "not_found", ""},
		{"nokia", "PATCH", draft + "/schedule/lot", delivered, "", 409, "agreement_not_signed", ""},
		{"nokia", "PATCH", joint, object{"private_note": strings.Repeat("x", 10_001)}, "", 422, "invalid_field", "private_note"},
		{"nokia", "PATCH", joint, object{"private_note": "x"}, `"99-x"`, 412, "version_mismatch", ""},
		{"nokia-viewer", "PATCH", joint, object{"private_note": "x"}, "", 403, "manager_only", ""},
		{"zte", "PATCH", joint, object{"private_note": "x"}, "", 404, "not_found", ""},
	}
}

func (w *world) projectRefusals() []refused {
	project := body{"title": "New", "stage": "committed", "lead": "nokia", "participants": []string{"nokia", "xiaomi"}}
	all, routing, things := w.at(w.a)+"/projects", w.at(w.a, "routing"), w.at(w.a, "things")
	return []refused{
		{"nokia", "POST", all, project.with(object{"id": "routing"}), "", 409, "project_exists", ""},
		{"nokia", "POST", w.at(w.next) + "/projects", project.with(nil), "", 409, "agreement_not_signed", ""},
		{"nokia", "POST", all, project.with(object{"stage": "exploring"}), "", 422, "invalid_field", "decide_by"},
		{"nokia", "POST", all, project.with(object{"stage": "active", "lead": "zte"}), "", 422, "invalid_field", "stage lead"},
		{"nokia", "POST", all, project.with(object{"participants": []string{"nokia", "zte"}}), "", 422, "invalid_field", "participants"},
		{"nokia", "POST", all, project.with(object{"participants": []string{"nokia", "nothing"}}), "", 422, "invalid_field", "participants"},
		{"nokia", "POST", all, project.with(object{"instrument": "nothing"}), "", 422, "invalid_field", "instrument"},
		{"nokia", "POST", w.at(w.three) + "/projects", project.with(object{"lead": "zte", "participants": []string{"zte", "xiaomi"}}), "", 403, "not_a_participant", ""},
		{"nokia-viewer", "POST", all, project.with(nil), "", 403, "manager_only", ""},
		{"zte", "POST", all, project.with(nil), "", 404, "not_found", ""},
		{"nokia", "PATCH", routing, object{}, "", 422, "nothing_to_change", ""},
		{"nokia", "PATCH", routing, object{"title": ""}, "", 422, "invalid_field", "title"},
		{"nokia", "PATCH", routing, object{"area": "x"}, `"99-x"`, 412, "version_mismatch", ""},
		{"nokia", "PATCH", things, object{"area": "x"}, `"99-x"`, 403, "not_lead", ""},
		{"xiaomi", "PATCH", things, object{"area": "x", "decide_by": "2018-01-01"}, "", 422, "invalid_field", "decide_by"},
		{"nokia", "PATCH", routing, object{"decide_by": "2018-01-01"}, "", 409, "wrong_stage", ""},
		{"nokia", "POST", routing + "/commit", nil, "", 409, "wrong_stage", ""},
		{"nokia", "POST", routing + "/decline", object{"reason": "x"}, "", 409, "wrong_stage", ""},
		{"nokia", "POST", things + "/decline", object{"reason": ""}, "", 422, "invalid_field", "reason"},
		{"nokia", "POST", routing + "/change-lead", object{"lead": "nokia"}, "", 409, "nothing_changes", ""},
		{"nokia", "POST", routing + "/change-lead", object{"lead": "zte"}, "", 422, "invalid_field", "lead"},
		{"xiaomi", "POST", routing + "/leave", nil, "", 409, "too_few_participants", ""},
		{"nokia", "POST", w.at(w.three, "radio") + "/leave", object{"partner": "zte"}, "", 409, "lead_cannot_leave", ""},
		{"nokia", "POST", w.at(w.three, "radio") + "/leave", nil, "", 409, "open_milestones", "milestones"},
		{"nokia", "POST", routing + "/start", nil, `"99-x"`, 412, "version_mismatch", ""},
		{"nokia", "POST", routing + "/start", nil, "", 409, "wrong_stage", ""},
		{"xiaomi", "POST", routing + "/start", nil, "", 403, "not_lead", ""},
		{"nokia", "POST", routing + "/pause", nil, "", 422, "invalid_field", "reason"},
		{"xiaomi", "POST", routing + "/pause", object{"reason": "x"}, "", 403, "not_lead", ""},
		{"nokia", "POST", routing + "/resume", nil, "", 409, "wrong_stage", ""},
		{"nokia", "POST", things + "/complete", nil, "", 409, "wrong_stage", ""},
		{"nokia", "POST", w.at(w.three, w.duo) + "/complete", nil, "", 409, "open_milestones", "dispositions"},
		{"nokia", "POST", w.at(w.three, w.duo) + "/stop", object{"reason": "x"}, "", 409, "open_milestones", "dispositions"},
		{"nokia", "POST", w.at(w.three, w.duo) + "/complete", object{"dispositions": []object{{"milestone": "pair", "disposition": "accepted"}}}, "", 422, "invalid_field", "dispositions"},
		{"nokia", "POST", w.at(w.three, w.duo) + "/complete", object{"dispositions": []object{{"milestone": "none", "disposition": "cancelled"}}}, "", 422, "invalid_field", "dispositions"},
		{"nokia", "POST", things + "/stop", object{"reason": "x"}, "", 403, "not_lead", ""},
		{"nokia", "POST", things + "/stop", nil, "", 422, "invalid_field", "reason"},
	}
}

func (w *world) milestoneRefusals() []refused {
	plan := body{"title": "New", "owner": "nokia", "due_on": "2018-01-01"}
	all, going := w.at(w.a, "routing")+"/milestones", w.routing("going")
	return []refused{
		{"nokia", "POST", all, plan.with(object{"id": "going"}), "", 409, "milestone_exists", ""},
		{"nokia", "POST", all, plan.with(object{"owner": "zte"}), "", 422, "invalid_field", "owner"},
		{"nokia", "POST", all, plan.with(object{"owner": "nothing"}), "", 422, "invalid_field", "owner"},
		{"nokia", "POST", all, plan.with(object{"acceptors": []string{}}), "", 422, "invalid_field", "acceptors"},
		{"nokia", "POST", all, plan.with(object{"acceptors": []string{"nokia"}}), "", 422, "invalid_field", "acceptors"},
		{"nokia", "POST", all, plan.with(object{"acceptors": []string{"acme"}, "title": ""}), "", 422, "invalid_field", "acceptors title"},
		{"nokia", "POST", all, plan.with(object{"audience": "private:xiaomi"}), "", 422, "invalid_field", "audience"},
		{"nokia", "POST", all, plan.with(object{"audience": "private", "acceptors": []string{"xiaomi"}}), "", 422, "invalid_field", "acceptors"},
		{"nokia", "POST", all, plan.with(object{"audience": "private", "owner": "xiaomi"}), "", 422, "invalid_field", "owner"},
		{"nokia", "POST", all, plan.with(object{"schedule_item": "lot"}), "", 422, "invalid_field", "schedule_item"},
		{"nokia", "POST", all, plan.with(object{"instrument": "joint", "schedule_item": "nothing"}), "", 422, "invalid_field", "schedule_item"},
		{"nokia", "POST", all, plan.with(object{"due_on": "2018-02-30", "title": nil}), "", 422, "invalid_field", "due_on title"},
		{"nokia-viewer", "POST", all, plan.with(nil), "", 403, "manager_only", ""},
		{"zte", "POST", all, plan.with(nil), "", 404, "not_found", ""},
		{"nokia", "PATCH", going, object{}, "", 422, "nothing_to_change", ""},
		{"nokia", "PATCH", going, object{"owner": "zte"}, "", 422, "invalid_field", "owner"},
		{"nokia", "PATCH", going, object{"title": "x"}, `"99-x"`, 412, "version_mismatch", ""},
		{"xiaomi", "PATCH", going, object{"title": "x"}, `"99-x"`, 403, "not_owner", ""},
		{"nokia", "PATCH", w.routing("accepted"), object{"title": "x"}, "", 409, "milestone_final", ""},
		{"nokia", "PATCH", going, object{"owner": "nokia"}, "", 409, "nothing_changes", ""},
		{"nokia", "POST", going + "/agree", nil, "", 409, "ownership_agreed", ""},
		{"xiaomi", "POST", going + "/agree", nil, "", 403, "not_owner", ""},
		{"nokia", "POST", going + "/decline", object{"reason": "x"}, "", 409, "ownership_agreed", ""},
		{"nokia", "POST", going + "/decline", object{"reason": ""}, "", 422, "invalid_field", "reason"},
		{"nokia", "POST", going + "/start", nil, "", 409, "wrong_state", ""},
		{"xiaomi", "POST", w.routing("planned") + "/start", nil, "", 403, "not_owner", ""},
		{"nokia", "POST", going + "/progress", nil, "", 422, "invalid_field", "percent"},
		{"nokia", "POST", going + "/progress", object{"percent": 101, "health": "blue"}, "", 422, "invalid_field", "percent health"},
		{"nokia", "POST", w.routing("planned") + "/progress", object{"percent": 1}, "", 409, "wrong_state", ""},
		{"nokia", "POST", going + "/forecast", object{"on": "2018-01-01", "audience": "private:xiaomi"}, "", 422, "invalid_field", "audience"},
		{"nokia", "POST", going + "/forecast", object{"on": "2018-01-01", "audience": "private"}, "", 422, "invalid_field", "reason"},
		{"nokia", "POST", w.routing("waived") + "/forecast", object{"on": "2018-01-01"}, "", 409, "milestone_final", ""},
		{"nokia", "POST", going + "/comment", object{"text": " "}, "", 422, "invalid_field", "text"},
		{"nokia", "POST", going + "/comment", object{"text": strings.Repeat("ä", 10001)}, "", 422, "invalid_field", "text"},
		{"nokia-viewer", "POST", going + "/comment", object{"text": ""}, "", 422, "invalid_field", "text"},
		{"nokia", "POST", going + "/comment", object{"text": "x"}, `"1-x"`, 412, "version_mismatch", ""},
		{"nokia", "POST", going + "/share", nil, "", 409, "already_shared", ""},
		{"nokia", "POST", w.routing(w.secret["nokia"]) + "/share", object{"acceptors": []string{}}, "", 422, "invalid_field", "acceptors"},
		{"nokia", "POST", w.routing(w.secret["xiaomi"]) + "/share", nil, "", 404, "not_found", ""},
		{"nokia", "POST", w.routing("delivered") + "/cancel", nil, "", 409, "wrong_state", ""},
		{"xiaomi", "POST", w.routing("planned") + "/cancel", nil, "", 403, "not_owner", ""},
	}
}

func (w *world) decisionRefusals() []refused {
	going, delivered := w.routing("going"), w.routing("delivered")
	return append([]refused{
		{"nokia", "POST", going + "/deliver", object{"on": "2017-09-05"}, "", 422, "invalid_field", "on"},
		{"nokia", "POST", going + "/deliver", object{"evidence": []object{{"title": "", "url": "ftp://x"}}}, "", 422, "invalid_field", "evidence evidence"},
		{"nokia", "POST", going + "/deliver", object{"evidence": []object{{"title": "x", "url": "https://x.example", "seal": 1}}}, "", 400, "unknown_field", "evidence[0].seal"},
		{"xiaomi", "POST", going + "/deliver", nil, "", 403, "not_owner", ""},
		{"nokia", "POST", going + "/deliver", object{"on": "1990-01-01"}, "", 422, "invalid_field", "on reason"},
		{"nokia", "POST", going + "/complete", nil, "", 409, "milestone_shared", ""},
		{"xiaomi", "POST", going + "/complete", nil, "", 403, "not_owner", ""},
		{"xiaomi", "POST", w.routing(w.secret["nokia"]) + "/complete", nil, "", 404, "not_found", ""},
		{"nokia", "POST", w.routing("planned") + "/deliver", nil, "", 409, "wrong_state", ""},
		{"nokia", "POST", w.routing(w.secret["nokia"]) + "/deliver", nil, "", 409, "milestone_private", ""},
		{"nokia", "POST", going + "/withdraw", nil, "", 409, "wrong_state", ""},
		{"xiaomi", "POST", delivered + "/withdraw", nil, "", 403, "not_owner", ""},
		{"nokia", "POST", delivered + "/accept", nil, "", 403, "not_acceptor", ""},
		{"xiaomi", "POST", delivered + "/accept", nil, `"2-x"`, 412, "version_mismatch", ""},
		{"xiaomi", "POST", going + "/accept", nil, "", 409, "wrong_state", ""},
		{"xiaomi-viewer", "POST", delivered + "/accept", nil, "", 403, "manager_only", ""},
		{"xiaomi", "POST", delivered + "/reject", object{"reasons": []string{}}, "", 422, "invalid_field", "reasons"},
		{"xiaomi", "POST", delivered + "/reject", object{"reasons": []string{""}}, "", 422, "invalid_field", "reasons"},
		{"nokia", "POST", delivered + "/reject", object{"reasons": []string{"x"}}, "", 403, "not_acceptor", ""},
		{"nokia", "POST", going + "/waive", nil, "", 403, "not_acceptor", ""},
		{"xiaomi", "POST", w.routing("accepted") + "/waive", nil, "", 409, "milestone_final", ""},
		{"zte", "POST", going + "/waive", nil, "", 404, "not_found", ""},
		{"operator", "POST", "/v1/log/accept-loss", object{"partitions": []int{7}}, "", 409, "no_open_loss", ""},
		{"nokia", "POST", "/v1/log/accept-loss", object{"partitions": []int{7}}, "", 404, "not_found", ""},
		{"operator", "POST", "/v1/deadletters/7/nothing/replay", nil, "", 404, "not_found", ""},
	}, w.roundRefusals()...)
}

// roundRefusals concern conditions and disputes.
func (w *world) roundRefusals() []refused {
	going, delivered := w.routing("going"), w.routing("delivered")
	conditional, disputed, rejected := w.routing("conditional"), w.routing("disputed"), w.routing("rejected")
	asks := func(text any, due string) object {
		return object{"conditions": []object{{"text": text, "due_on": due}}}
	}
	return []refused{
		{"xiaomi", "POST", delivered + "/accept", asks("a report", "2017-09-03"), "", 422, "invalid_field", "conditions"},
		{"xiaomi", "POST", delivered + "/accept", asks(" ", "2017-12-24"), "", 422, "invalid_field", "conditions"},
		{"xiaomi", "POST", delivered + "/accept", asks(7, "2017-12-24"), "", 422, "invalid_field", "conditions[0].text"},
		{"xiaomi", "POST", delivered + "/accept", asks("a report", "soon"), "", 422, "invalid_field", "conditions[0].due_on"},
		{"xiaomi", "POST", delivered + "/accept", object{"conditions": []object{{"text": "a report"}}}, "", 422, "invalid_field", "conditions"},
		{"xiaomi", "POST", delivered + "/accept", object{"conditions": []object{{"number": 7}}}, "", 400, "unknown_field", "conditions[0].number"},
		{"nokia", "POST", delivered + "/accept", asks("a report", "2017-12-24"), "", 403, "not_acceptor", ""},
		{"xiaomi", "POST", conditional + "/accept", asks("more", "2017-12-24"), "", 409, "no_more_conditions", ""},
		{"xiaomi", "POST", conditional + "/conditions/1/met", nil, "", 403, "not_owner", ""},
		{"nokia", "POST", conditional + "/conditions/9/met", nil, "", 409, "no_such_condition", ""},
		{"nokia", "POST", conditional + "/conditions/first/met", nil, "", 422, "invalid_field", "number"},
		{"zte", "POST", conditional + "/conditions/1/met", nil, "", 404, "not_found", ""},
		{"nokia", "POST", conditional + "/conditions/1/refuse", object{"reason": "x"}, "", 403, "not_acceptor", ""},
		{"xiaomi", "POST", conditional + "/conditions/2/refuse", object{"reason": "x"}, "", 409, "condition_not_reported", ""},
		{"xiaomi", "POST", conditional + "/conditions/2/refuse", object{"reason": " "}, "", 422, "invalid_field", "reason"},
		{"nokia", "POST", conditional + "/criteria/9/check", object{"result": "met"}, "", 409, "no_such_criterion", ""},
		{"nokia", "POST", conditional + "/criteria/1/check", object{"result": "maybe"}, "", 422, "invalid_field", "result"},
		{"nokia", "POST", conditional + "/responsible", object{"member": "stranger"}, "", 422, "invalid_field", "member"},
		{"nokia", "POST", conditional + "/responsible", object{"member": w.members["xiaomi"]}, "", 422, "invalid_field", "member"},
		{"nokia", "POST", conditional + "/responsible", object{"member": nil}, "", 409, "nothing_changes", ""},
		{"zte", "POST", conditional + "/responsible", object{"member": nil}, "", 404, "not_found", ""},
		{"xiaomi-viewer", "POST", conditional + "/responsible", object{"member": nil}, "", 403, "manager_only", ""},
		{"nokia", "POST", conditional + "/dispute", object{"reason": "x", "condition": 2}, "", 409, "nothing_to_dispute", ""},
		{"nokia", "POST", conditional + "/withdraw", nil, "", 409, "delivery_decided", ""},
		{"nokia", "POST", conditional + "/close-condition", object{"number": 1}, "", 403, "not_acceptor", ""},
		{"xiaomi-viewer", "POST", conditional + "/close-condition", object{"number": 1}, "", 403, "manager_only", ""},
		{"xiaomi", "POST", conditional + "/close-condition", object{"number": 0}, "", 422, "invalid_field", "number"},
		{"xiaomi", "POST", conditional + "/close-condition", object{"number": 3}, "", 409, "no_such_condition", ""},
		{"xiaomi", "POST", conditional + "/close-condition", object{"number": 1}, `"2-x"`, 412, "version_mismatch", ""},
		{"xiaomi", "POST", going + "/close-condition", object{"number": 1}, "", 409, "wrong_state", ""},
		{"nokia", "POST", conditional + "/dispute", object{"reason": "x"}, "", 409, "nothing_to_dispute", ""},
		{"nokia", "POST", rejected + "/dispute", object{"reason": ""}, "", 422, "invalid_field", "reason"},
		{"xiaomi", "POST", rejected + "/dispute", object{"reason": "x"}, "", 403, "not_owner", ""},
		{"zte", "POST", rejected + "/dispute", object{"reason": "x"}, "", 404, "not_found", ""},
		{"nokia", "POST", rejected + "/settle", object{"outcome": "accepted"}, "", 409, "wrong_state", ""},
		{"nokia", "POST", disputed + "/dispute", object{"reason": "x"}, "", 409, "milestone_disputed", ""},
		{"nokia", "POST", disputed + "/deliver", nil, "", 409, "milestone_disputed", ""},
		{"xiaomi", "POST", disputed + "/accept", nil, "", 409, "milestone_disputed", ""},
		{"nokia", "POST", disputed + "/settle", object{"outcome": "waived"}, "", 422, "invalid_field", "outcome"},
		{"nokia-viewer", "POST", disputed + "/settle", object{"outcome": "accepted"}, "", 403, "manager_only", ""},
		{"xiaomi", "POST", disputed + "/settle", object{"outcome": "rejected"}, "", 409, "already_named", ""},
		{"zte", "POST", disputed + "/settle", object{"outcome": "accepted"}, "", 404, "not_found", ""},
	}
}

func webhookRefusals() []refused {
	const list, one = "/v1/partners/nokia/webhooks", "/v1/partners/nokia/webhooks/nokia-ops"
	hook := body{"url": "https://new.example/hook", "format": "standard", "events": []string{"*"}}
	return []refused{
		{"nokia", "POST", list, hook.with(object{"id": "nokia-ops"}), "", 409, "webhook_exists", ""},
		{"nokia", "POST", list, hook.with(object{"format": "pager"}), "", 422, "invalid_field", "format"},
		{"nokia", "POST", list, hook.with(object{"url": "http://new.example/hook"}), "", 422, "invalid_field", "url"},
		{"nokia", "POST", list, hook.with(object{"url": "hook"}), "", 422, "invalid_field", "url"},
		{"nokia", "POST", list, hook.with(object{"url": "https://new.example/" + strings.Repeat("x", 2000)}), "", 422, "invalid_field", "url"},
		{"nokia", "POST", list, hook.with(object{"url": "https://user:word@new.example/hook"}), "", 422, "invalid_field", "url"},
		{"nokia", "POST", list, hook.with(object{"url": "https://hooks.slack.com/services/T/B/x"}), "", 422, "invalid_field", "url"},
		{"nokia", "POST", list, hook.with(object{"secret": "whsec_short"}), "", 422, "invalid_field", "secret"},
		{"nokia", "POST", list, hook.with(object{"secret": strings.Repeat("x", 1001), "url": ""}), "", 422, "invalid_field", "secret url"},
		{"nokia", "POST", list, hook.with(object{"format": "zulip", "url": "https://z.example/api/v1/messages?to=x"}), "", 422, "invalid_field", "secret"},
		{"nokia", "POST", list, hook.with(object{"events": []string{"weather.*"}}), "", 422, "invalid_field", "events"},
		{"nokia", "POST", list, hook.with(object{"events": []string{}, "language": "sv", "digest": "hourly", "order": "any"}), "", 422, "invalid_field", "events language digest order"},
		{"nokia", "POST", list, hook.with(object{"agreements": []string{"pact-six"}}), "", 422, "invalid_field", "agreements"},
		{"nokia", "POST", list, hook.with(object{"agreements": []string{"no-such"}}), "", 422, "invalid_field", "agreements"},
		{"nokia-viewer", "POST", list, hook.with(nil), "", 403, "manager_only", ""},
		{"nokia-limited", "POST", list, hook.with(nil), "", 404, "not_found", ""},
		{"operator", "POST", list, hook.with(nil), "", 404, "not_found", ""},
		{"nokia", "PATCH", one, object{}, "", 422, "nothing_to_change", ""},
		{"nokia", "PATCH", one, object{"url": "https://hooks.slack.com/services/T/B/x"}, "", 422, "invalid_field", "url"},
		{"nokia", "PATCH", one, object{"agreements": []string{"pact-six"}}, "", 422, "invalid_field", "agreements"},
		{"nokia", "PATCH", one, object{"format": "slack"}, "", 400, "unknown_field", "format"},
		{"nokia", "PATCH", one, object{"language": "fi"}, `"99-x"`, 412, "version_mismatch", ""},
		{"xiaomi", "PATCH", one, object{"language": "fi"}, "", 404, "not_found", ""},
		{"nokia-viewer", "DELETE", one, nil, "", 403, "manager_only", ""},
		{"nokia-viewer", "POST", one + "/test", nil, "", 403, "manager_only", ""},
		{"nokia", "POST", one + "/rotate-secret", object{"secret": "short"}, "", 422, "invalid_field", "secret"},
		{"nokia-viewer", "POST", one + "/rotate-secret", nil, "", 403, "manager_only", ""},
		{"nokia", "POST", one + "/enable", nil, "", 409, "webhook_enabled", ""},
		{"nokia", "POST", one + "/replay", object{}, "", 422, "invalid_field", "after"},
		{"nokia", "POST", one + "/replay", object{"after": "yesterday"}, "", 400, "invalid_position", ""},
		{"nokia", "POST", one + "/replay", object{"since": "2040-01-01T00:00:00Z"}, "", 422, "invalid_field", "since"},
		{"nokia", "POST", one + "/deliveries/no-such/redeliver", nil, "", 404, "not_found", ""},
		{"nokia-viewer", "POST", one + "/deliveries/nokia-first/redeliver", nil, "", 403, "manager_only", ""},
	}
}

// TestRules sends requests that the rules refuse. No state changes, and every writing route is covered.
func TestRules(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before, tried := w.positions(), map[string]bool{}
	for _, x := range w.refusals() {
		t.Run(x.who+" "+x.method+" "+x.path+" "+x.code, func(t *testing.T) {
			c := w.As(x.who)
			if x.match != "" {
				c = c.With("If-Match", x.match)
			}
			a := c.do(x.method, x.path, x.body)
			a.t = t
			a.Refused(x.status, x.code).Names(strings.Fields(x.fields)...)
			require.Equal(t, before, w.positions())
		})
		tried[contractOf(t).routeOf(x.method, x.path).operationID] = true
	}
	for _, rt := range routes() {
		require.True(t, rt.body == nil || tried[rt.operationID], "no rule of %s is tried", rt.operationID)
	}
}
