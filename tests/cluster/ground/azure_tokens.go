package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// issued is a token that some host of Azure gave out.
type issued struct {
	kind     string // entra, refresh, access or signature
	of       string // the case
	client   string
	tenant   string
	audience string // a resource, or a registry's host
	rights   rights
}

// rights are actions by prefix of the repository.
type rights map[string][]string

// everything is what somebody with the role AcrPull may do.
var everything = rights{"": {"pull", "metadata_read"}}

func (r rights) on(repository string) []string {
	var actions []string
	for prefix, some := range r {
		if strings.HasPrefix(repository, prefix) {
			actions = append(actions, some...)
		}
	}
	slices.Sort(actions)
	return slices.Compact(actions)
}

// issue makes a token with these claims, and remembers it. Nobody looks at its
// signature; the word in it is looked for where no token may be.
func (a *azure) issue(token issued, claims map[string]any) string {
	text, err := joinSegments(map[string]any{"typ": "JWT", "alg": "RS256", "kid": "canary"}, claims)
	if err != nil {
		panic(err) // The claims are texts, numbers and lists of them.
	}
	text += ".canary" + rand.Text()
	a.remember(text, token)
	return text
}

func (a *azure) remember(text string, token issued) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if a.issued == nil {
		a.issued = map[string]issued{}
	}
	a.issued[text] = token
}

func (a *azure) find(text string) (issued, bool) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	token, ok := a.issued[text]
	return token, ok
}

// entraToken is a token of that identity for a resource
// (https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference).
func (a *azure) entraToken(who *identity, resource string) string {
	now := time.Now()
	return a.issue(
		issued{kind: "entra", of: who.Case, client: who.ClientID, tenant: who.Tenant, audience: resource},
		map[string]any{
			"aud": resource, "iss": "https://sts.windows.net/" + who.Tenant + "/", "ver": "1.0",
			"appid": who.ClientID, "oid": newID(), "sub": newID(), "tid": who.Tenant, "uti": rand.Text(),
			"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(24 * time.Hour).Unix(),
		})
}

// carried is a secret that a request had with it.
type carried struct {
	Field string `json:"field"` // authorization, password, or the field of a form
	What  string `json:"what"`  // which secret it is
	Of    string `json:"of"`    // the case whose secret it is
}

// carried tells the secrets of a request, none of them by its value.
func (a *azure) carried(request *http.Request) []carried {
	var all []carried
	see := func(field, value string) {
		if value != "" {
			what, of := a.recognize(value)
			all = append(all, carried{field, what, of})
		}
	}
	if _, password, ok := request.BasicAuth(); ok {
		see("password", password)
	} else {
		see("authorization", strings.TrimPrefix(request.Header.Get("Authorization"), "Bearer "))
	}
	_ = request.ParseForm() // What is no form has no fields.
	for _, field := range []string{"access_token", "refresh_token", "client_secret", "client_assertion", "password", "sig"} {
		for _, value := range request.Form[field] {
			see(field, value)
		}
	}
	return all
}

// recognize says which secret a value is. What only tests have as a password
// says so by the word canary, and is named by itself.
func (a *azure) recognize(value string) (what, of string) {
	if token, ok := a.find(value); ok {
		return token.kind + " for " + token.audience, token.of
	}
	for _, who := range a.identities {
		if who.Secret == value {
			return "client secret", who.Case
		}
	}
	if claims, ok := claimsOf(value); ok {
		if subject, _ := claims["sub"].(string); strings.HasPrefix(subject, "system:serviceaccount:") {
			return "service account token", strings.Split(subject, ":")[2]
		}
	}
	if strings.Contains(value, "canary") && !strings.Contains(value, ".") {
		return value, ""
	}
	return "unknown", ""
}

// claimsOf reads a JSON web token without looking at its signature.
func claimsOf(token string) (claims map[string]any, ok bool) {
	segments := strings.Split(token, ".")
	if len(segments) != 3 {
		return nil, false
	}
	content, err := base64.RawURLEncoding.DecodeString(segments[1])
	if err != nil {
		return nil, false
	}
	return claims, json.Unmarshal(content, &claims) == nil
}
