package main

import (
	"net/http"
	"slices"
	"strings"
)

// login answers as Entra ID does: two requests by which clients find their way,
// and the token endpoints of version 1 and 2
// (https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow).
func (p *play) login(w *statusRecorder, request *http.Request) {
	w.Header().Set("x-ms-request-id", newID())
	w.Header().Set("x-ms-ests-server", "2.1.21000.5 - EUS ProdSlices")
	w.Header().Set("Cache-Control", "no-store, no-cache")
	tenant, page, _ := strings.Cut(strings.TrimPrefix(request.URL.Path, "/"), "/")
	base := "https://" + p.host.host() + "/" + tenant
	switch {
	case page == "discovery/instance":
		writeJSON(w, http.StatusOK, map[string]any{
			"tenant_discovery_endpoint": base + "/v2.0/.well-known/openid-configuration", "api-version": "1.1",
			"metadata": []map[string]any{{
				"preferred_network": p.host.host(), "preferred_cache": p.host.host(), "aliases": []string{p.host.host()},
			}},
		})
	case page == "v2.0/.well-known/openid-configuration":
		writeJSON(w, http.StatusOK, map[string]any{
			"issuer": base + "/v2.0", "token_endpoint": base + "/oauth2/v2.0/token",
			"authorization_endpoint": base + "/oauth2/v2.0/authorize",
		})
	case request.Method == http.MethodPost && page == "oauth2/token":
		p.loginToken(w, request, tenant, []string{request.PostForm.Get("resource")})
	case request.Method == http.MethodPost && page == "oauth2/v2.0/token":
		p.loginToken(w, request, tenant, strings.Fields(request.PostForm.Get("scope")))
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// loginToken gives a token for the first resource of these, or says in an
// AADSTS code what stands in its way.
func (p *play) loginToken(w *statusRecorder, request *http.Request, tenant string, resources []string) {
	form := request.PostForm
	resource := ""
	for _, wanted := range resources {
		// Version 2 has a resource as RESOURCE/.default, beside the words of OpenID.
		if wanted = strings.TrimSuffix(wanted, "/.default"); strings.Contains(wanted, "://") {
			resource = strings.TrimSuffix(wanted, "/")
			break
		}
	}
	names := p.namesOf(form.Get("client_id"), tenant, resource)
	who := p.lab.azure.application(form.Get("client_id"), tenant)
	switch {
	case form.Get("grant_type") != "client_credentials":
		sayByName(w, "AADSTS70003", names)
	case !p.lab.azure.hasTenant(tenant):
		sayByName(w, "AADSTS90002", names)
	case who == nil:
		sayByName(w, "AADSTS700016", names)
	case p.oddAnswerOf(who.FromLogin, w, request, names):
	case form.Get("client_assertion") != "":
		if refusal, names := p.judgeAssertion(who, form.Get("client_assertion")); refusal != "" {
			sayByName(w, refusal, names)
			return
		}
		p.giveLoginToken(w, who, resource)
	case who.Secret == "" || who.Secret != form.Get("client_secret"):
		sayByName(w, "AADSTS7000215", names)
	default:
		p.giveLoginToken(w, who, resource)
	}
}

func (p *play) giveLoginToken(w *statusRecorder, who *identity, resource string) {
	if !who.knows(resource) {
		sayByName(w, "AADSTS500011", p.namesOf(who.ClientID, who.Tenant, resource))
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"token_type": "Bearer", "expires_in": 86399, "ext_expires_in": 86399,
		"access_token": p.lab.azure.entraToken(who, resource),
	})
}

// judgeAssertion compares an assertion with the federated credentials of an
// application; what refuses it is empty where one fits.
func (p *play) judgeAssertion(who *identity, assertion string) (refusal string, names *strings.Replacer) {
	claims, _ := claimsOf(assertion)
	issuer, _ := claims["iss"].(string)
	subject, _ := claims["sub"].(string)
	audiences, _ := claims["aud"].([]any)
	fits := func(known federated) bool {
		return known.Issuer == issuer && known.Subject == subject && slices.Contains(audiences, any(known.Audience))
	}
	has := func(is func(federated) bool) bool { return slices.ContainsFunc(who.Federated, is) }
	names = p.azureNames("{issuer}", issuer, "{subject}", subject)
	switch {
	case has(fits):
		return "", nil
	case !has(func(known federated) bool { return known.Issuer == issuer }):
		return "AADSTS700211", names
	case has(func(known federated) bool { return known.Subject == subject }):
		return "AADSTS700212", names // The audience is what is left.
	case has(func(known federated) bool { return strings.EqualFold(known.Subject, subject) }):
		return "AADSTS7002138", names
	}
	return "AADSTS700213", names
}

// application is the identity with that client id in a tenant.
func (a *azure) application(client, tenant string) *identity {
	for _, who := range a.identities {
		if strings.EqualFold(who.ClientID, client) && strings.EqualFold(who.Tenant, tenant) {
			return who
		}
	}
	return nil
}

func (a *azure) hasTenant(tenant string) bool {
	return slices.ContainsFunc(a.identities, func(who *identity) bool { return strings.EqualFold(who.Tenant, tenant) })
}
