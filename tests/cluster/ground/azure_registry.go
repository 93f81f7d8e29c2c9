package main

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// azureRegistry is a container registry: who may do what in it.
type azureRegistry struct {
	// Roles are what identities may do, by client id; every identity of the
	// case may pull everything where it is nil.
	Roles map[string]rights `json:"roles"`
	// Users are those who log in with a password.
	Users map[string]azureUser `json:"users"`
	// Anonymous is what who has no name may do.
	Anonymous rights `json:"anonymous"`
	// ARMTokensRefused says that authentication-as-arm is disabled: tokens for
	// the management of Azure are none for the registry
	// (https://learn.microsoft.com/azure/container-registry/container-registry-disable-authentication-as-arm).
	ARMTokensRefused bool `json:"armTokensRefused"`
	// Realm is the URL of the token service; the registry's own where it is empty.
	Realm string `json:"realm"`
	// Data is the host that has the blobs.
	Data string `json:"data"`
}

// azureUser is the admin user or a repository-scoped token.
type azureUser struct {
	Password string `json:"password"`
	// Rights are everything where they are nil.
	Rights rights `json:"rights"`
}

// tokenUser is whose name goes with a token in place of a password
// (https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md).
const tokenUser = "00000000-0000-0000-0000-000000000000"

// registry answers as a registry of Azure does.
func (p *play) registry(w *statusRecorder, request *http.Request, wanted asked, content *blob, manner string) {
	w.Header().Set("Server", "AzureContainerRegistry")
	w.Header().Set("X-Ms-Correlation-Request-Id", newID())
	switch wanted.kind {
	case "exchange":
		p.exchange(w, request)
		return
	case "token":
		p.accessToken(w, request)
		return
	case "other":
		if request.URL.Path != "/v2/_catalog" {
			writeError(w, http.StatusNotFound, "NOT_FOUND", "404 page not found")
			return
		}
	}
	if !p.admitToAzure(w, request, wanted) {
		return
	}
	isPage := wanted.kind == "manifest" || wanted.kind == "blob"
	switch {
	case wanted.kind == "ping":
		writeJSON(w, http.StatusOK, map[string]any{})
	case wanted.kind == "tags":
		p.serveTags(w, wanted.repository)
	case !isPage:
		writeJSON(w, http.StatusOK, map[string]any{"repositories": []string{"shop/api"}})
	case wanted.kind == "manifest" && content == nil:
		p.noManifest(w, wanted.reference)
	case wanted.kind == "blob" && content != nil && manner == "plainly" && p.host.Azure.Registry.Data != "":
		p.redirect(w, content.digest())
	default:
		p.serve(w, request, wanted, content, manner)
	}
}

// noManifest says that there is none: of a tag as in
// https://github.com/Azure/AKS/issues/1889, of a digest as in
// https://github.com/Azure/acr/issues/666.
func (p *play) noManifest(w http.ResponseWriter, reference string) {
	message := fmt.Sprintf("manifest tagged by %q is not found", reference)
	if strings.HasPrefix(reference, "sha256:") {
		message = "manifest " + reference + " is not found"
	}
	writeError(w, http.StatusNotFound, "MANIFEST_UNKNOWN", message)
}

// exchange gives a refresh token for one of Entra ID
// (https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md).
func (p *play) exchange(w http.ResponseWriter, request *http.Request) {
	registry := p.host.Azure.Registry
	form := request.PostForm
	token, known := p.lab.azure.find(form.Get("access_token"))
	permitted, hasRole := registry.rightsOf(token.client, token.of == p.host.Case)
	isGrant := slices.Contains([]string{"access_token", "access_token_refresh_token", "refresh_token"}, form.Get("grant_type"))
	switch {
	case request.Method != http.MethodPost || !isGrant:
		writeError(w, http.StatusBadRequest, "UNSUPPORTED", "the grant type is not supported")
	case !known || token.kind != "entra" || form.Get("service") != p.host.Name:
		sayByName(w, "authorization", p.azureNames())
	case token.audience != registryResource && registry.ARMTokensRefused:
		sayByName(w, "arm-disallowed", p.azureNames())
	case token.audience != registryResource && !slices.Contains(armResources, token.audience), !hasRole:
		sayByName(w, "authorization", p.azureNames())
	default:
		now := time.Now()
		writeJSON(w, http.StatusOK, map[string]string{"refresh_token": p.lab.azure.issue(
			issued{kind: "refresh", of: p.host.Case, client: token.client, audience: p.host.Name, rights: permitted},
			map[string]any{
				"jti": newID(), "sub": token.client, "iss": "Azure Container Registry", "aud": p.host.Name, "version": "1.0",
				"grant_type": "refresh_token", "appid": token.client, "tenant": token.tenant,
				"permissions": map[string]any{"actions": []string{"read"}},
				"iat":         now.Unix(), "nbf": now.Unix(), "exp": now.Add(3 * time.Hour).Unix(),
			})})
	}
}

// rightsOf are those of an identity, which may be one of another case.
func (r *azureRegistry) rightsOf(client string, isOwn bool) (rights, bool) {
	if r.Roles == nil {
		return everything, isOwn
	}
	permitted, ok := r.Roles[client]
	return permitted, ok
}

// accessToken gives a token for what was asked for and is permitted, which may
// be nothing. There is no grant by password: that is a 400 without a word, as
// runtimes know who then ask by GET.
func (p *play) accessToken(w http.ResponseWriter, request *http.Request) {
	permitted, refusal := p.credentialOf(request)
	switch {
	case request.Method == http.MethodPost && request.PostForm.Get("grant_type") != "refresh_token":
		w.WriteHeader(http.StatusBadRequest)
		return
	case refusal != "":
		sayByName(w, refusal, p.azureNames())
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"access_token": p.newAccessToken(request.Form["scope"], permitted)})
}

// credentialOf finds out who asks for a token, or what refuses them.
func (p *play) credentialOf(request *http.Request) (permitted rights, refusal string) {
	user, password, named := request.BasicAuth()
	if request.Method == http.MethodPost {
		user, password, named = tokenUser, request.PostForm.Get("refresh_token"), true
	}
	if !named {
		if p.host.Azure.Registry.Anonymous == nil {
			return nil, "authorization"
		}
		return p.host.Azure.Registry.Anonymous, ""
	}
	return p.knownUser(user, password)
}

// knownUser judges a name and a password. Which words refuse them depends on
// what the name is: see azureWords.
func (p *play) knownUser(user, password string) (rights, string) {
	registry := p.host.Azure.Registry
	if user == tokenUser {
		token, ok := p.lab.azure.find(password)
		if !ok || token.kind != "refresh" || token.audience != p.host.Name {
			return nil, "authorization"
		}
		return token.rights, ""
	}
	if known, ok := registry.Users[user]; ok {
		if known.Password != password {
			return nil, "authorization"
		}
		if known.Rights == nil {
			return everything, ""
		}
		return known.Rights, ""
	}
	for _, who := range p.lab.azure.identities {
		if who.Secret == "" || !strings.EqualFold(who.ClientID, user) {
			continue
		}
		if who.Secret != password || len(who.FromLogin) > 0 {
			return nil, "client-secret"
		}
		if permitted, ok := registry.rightsOf(who.ClientID, who.Case == p.host.Case); ok {
			return permitted, ""
		}
		return nil, "authorization"
	}
	return nil, "unregistered"
}

// newAccessToken is a token whose access list has what of the scopes is permitted.
func (p *play) newAccessToken(scopes []string, permitted rights) string {
	granted := []access{}
	for _, scope := range strings.Fields(strings.Join(scopes, " ")) {
		wanted, ok := parseScope(scope)
		if !ok {
			continue
		}
		actions := permitted.on(wanted.Name)
		wanted.Actions = slices.DeleteFunc(wanted.Actions, func(action string) bool { return !slices.Contains(actions, action) })
		if len(wanted.Actions) > 0 {
			granted = append(granted, wanted)
		}
	}
	now := time.Now()
	return p.lab.azure.issue(
		issued{kind: "access", of: p.host.Case, audience: p.host.Name, rights: rightsIn(granted)},
		map[string]any{
			"jti": newID(), "sub": newID(), "iss": "Azure Container Registry", "aud": p.host.Name, "version": "1.0",
			"grant_type": "access_token", "access": granted, "roles": []string{},
			"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(75 * time.Minute).Unix(),
		})
}

func rightsIn(granted []access) rights {
	all := rights{}
	for _, entry := range granted {
		all[entry.Name] = entry.Actions
	}
	return all
}

// admitToAzure answers a request that may not pass, and says whether it may.
func (p *play) admitToAzure(w http.ResponseWriter, request *http.Request, wanted asked) bool {
	bearer, isBearer := strings.CutPrefix(request.Header.Get("Authorization"), "Bearer ")
	user, password, isBasic := request.BasicAuth()
	mayPull := func(permitted rights) bool {
		return wanted.repository == "" || slices.Contains(permitted.on(wanted.repository), "pull")
	}
	problem := ""
	switch {
	case isBearer:
		token, known := p.lab.azure.find(bearer)
		if known && token.kind == "access" && token.audience == p.host.Name {
			if mayPull(token.rights) {
				return true
			}
			problem = "insufficient_scope"
		} else {
			problem = "invalid_token"
		}
	case isBasic:
		permitted, refusal := p.knownUser(user, password)
		if refusal == "" && mayPull(permitted) {
			return true
		}
		if refusal != "" {
			sayByName(w, refusal, p.azureNames())
			return false
		}
		problem = "insufficient_scope"
	}
	w.Header().Set("WWW-Authenticate", p.azureChallenge(wanted, problem))
	sayByName(w, "authorization", p.azureNames())
	return false
}

func (p *play) azureChallenge(wanted asked, problem string) string {
	realm := p.host.Azure.Registry.Realm
	if realm == "" {
		realm = "https://" + p.host.host() + "/oauth2/token"
	}
	challenge := fmt.Sprintf("Bearer realm=%q,service=%q", realm, p.host.Name)
	switch {
	case wanted.repository != "":
		challenge += fmt.Sprintf(",scope=%q", "repository:"+wanted.repository+":pull")
	case wanted.kind == "other":
		challenge += `,scope="registry:catalog:*"`
	}
	if problem != "" {
		challenge += fmt.Sprintf(",error=%q", problem)
	}
	return challenge
}

// redirect sends whoever wants a blob to the data host, with a signature that
// opens it (https://learn.microsoft.com/azure/container-registry/container-registry-dedicated-data-endpoints).
func (p *play) redirect(w http.ResponseWriter, digest string) {
	signature := "canary" + rand.Text()
	data := p.host.Azure.Registry.Data
	p.lab.azure.remember(signature, issued{kind: "signature", of: p.host.Case, audience: data})
	hex := strings.TrimPrefix(digest, "sha256:")
	query := url.Values{
		"se": {time.Now().UTC().Add(20 * time.Minute).Format(time.RFC3339)}, "sig": {signature}, "sp": {"r"},
		"spr": {"https"}, "sr": {"b"}, "sv": {"2018-03-28"}, "regid": {newID()},
	}
	w.Header().Set("Location", fmt.Sprintf("https://%s/7f8e9d0c//docker/registry/v2/blobs/sha256/%s/%s/data?%s", data, hex[:2], hex, query.Encode()))
	w.WriteHeader(http.StatusTemporaryRedirect)
}

// storage answers as the host does that has the blobs.
func (p *play) storage(w *statusRecorder, request *http.Request, manner string) {
	w.Header().Set("Server", "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0")
	w.Header().Set("X-Ms-Request-Id", newID())
	signature, known := p.lab.azure.find(request.URL.Query().Get("sig"))
	_, rest, _ := strings.Cut(request.URL.Path, "/blobs/sha256/")
	parts := strings.Split(rest, "/")
	switch {
	case request.Header.Get("Authorization") != "":
		sayByName(w, "storage-header", p.azureNames())
		return
	case !known || signature.kind != "signature" || len(parts) != 3:
		sayByName(w, "storage-signature", p.azureNames())
		return
	}
	for name := range p.host.Images {
		repository, _ := splitTag(name)
		wanted := asked{"blob", repository, "sha256:" + parts[1]}
		if content, _ := p.find(wanted); content != nil {
			p.serve(w, request, wanted, content, manner)
			return
		}
	}
	w.WriteHeader(http.StatusNotFound)
}
