package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// login is how a host asks for a credential, and which it takes.
type login struct {
	Scheme string            `json:"scheme"` // basic or bearer
	Users  map[string]string `json:"users"`  // names and passwords; alice alone where there are none
	// Challenges are sent in place of the scheme's own, each as a header of
	// its own; {host} is the host.
	Challenges []string `json:"challenges"`
	Joined     bool     `json:"joined"` // all of them in one header
	// Status refuses a request without or with a wrong credential: 401 where it is 0.
	Status int `json:"status"`
	// Denied refuses a token without the right: 401 with insufficient_scope where it is 0.
	Denied int    `json:"denied"`
	Realm  string `json:"realm"` // the URL of the token service; of this host where it is empty
	// NoService and NoScope leave that parameter out of the challenge.
	NoService bool `json:"noService"`
	NoScope   bool `json:"noScope"`
	// Grants are prefixes of repositories that a user may pull from; all where there are none.
	Grants []string `json:"grants"`
	// Strangers are prefixes of those that who has no name may pull from. Where
	// there are none, strangers get no token.
	Strangers []string `json:"strangers"`
	// EmptyTokens gives strangers a token that allows nothing.
	EmptyTokens bool `json:"emptyTokens"`
	// Post and Get are the status of a request for a token by that method; 0
	// answers it. Post is 405 in most registries.
	Post int `json:"post"`
	Get  int `json:"get"`
	// Field is the token's field in the answer: token, access_token or both.
	Field string `json:"field"`
	// Opaque tokens say nothing to whoever looks into them.
	Opaque bool `json:"opaque"`
	// Padding makes tokens longer by that many bytes.
	Padding int `json:"padding"`
}

// The user of all hosts that name none.
const (
	labUser     = "alice"
	labPassword = "right-canary"
)

func (a *login) knows(user, password string) bool {
	if len(a.Users) == 0 {
		return user == labUser && password == labPassword
	}
	known, ok := a.Users[user]
	return ok && known == password
}

// tokenBook remembers what was issued to whom.
type tokenBook struct {
	mutex sync.Mutex
	given map[string][]string // the token and the prefixes that it opens
}

func (b *tokenBook) remember(token string, prefixes []string) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.given == nil {
		b.given = map[string][]string{}
	}
	b.given[token] = prefixes
}

func (b *tokenBook) opens(token, repository string) (known, opens bool) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	prefixes, known := b.given[token]
	return known, slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(repository, prefix) })
}

// admit answers a request that may not pass, and says whether it may.
func (p *play) admit(w http.ResponseWriter, request *http.Request, repository string) bool {
	auth := p.host.Auth
	if auth == nil {
		return true
	}
	refuse := func(detail string, status int) bool {
		for _, challenge := range p.challenges(repository, detail) {
			w.Header().Add("WWW-Authenticate", challenge)
		}
		code, message := "UNAUTHORIZED", "authentication required"
		if detail != "" {
			code, message = "DENIED", "requested access to the resource is denied"
		}
		writeError(w, status, code, message)
		return false
	}
	status := auth.Status
	if status == 0 {
		status = http.StatusUnauthorized
	}
	if auth.Scheme == "bearer" {
		token, ok := strings.CutPrefix(request.Header.Get("Authorization"), "Bearer ")
		if !ok {
			return refuse("", status)
		}
		known, opens := p.lab.tokens.opens(token, repository)
		switch {
		case !known:
			return refuse("", status)
		case !opens && auth.Denied != 0:
			return refuse("insufficient_scope", auth.Denied)
		case !opens:
			return refuse("insufficient_scope", http.StatusUnauthorized)
		}
		return true
	}
	user, password, ok := request.BasicAuth()
	if !ok || !auth.knows(user, password) {
		return refuse("", status)
	}
	if len(auth.Grants) > 0 && !hasPrefix(repository, auth.Grants) {
		writeError(w, http.StatusForbidden, "DENIED", "requested access to the resource is denied")
		return false
	}
	return true
}

func hasPrefix(text string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(text, prefix) })
}

func (p *play) challenges(repository, detail string) []string {
	auth := p.host.Auth
	if auth.Challenges != nil {
		var all []string
		for _, challenge := range auth.Challenges {
			challenge = strings.ReplaceAll(challenge, "{host}", p.host.host())
			all = append(all, strings.ReplaceAll(challenge, "{repository}", repository))
		}
		if auth.Joined {
			return []string{strings.Join(all, ", ")}
		}
		return all
	}
	if auth.Scheme != "bearer" {
		return []string{fmt.Sprintf("Basic realm=%q", p.host.Name)}
	}
	realm := auth.Realm
	if realm == "" {
		realm = "https://" + p.host.host() + "/token"
	}
	challenge := fmt.Sprintf("Bearer realm=%q", realm)
	if !auth.NoService {
		challenge += fmt.Sprintf(",service=%q", p.host.Name)
	}
	if !auth.NoScope {
		challenge += fmt.Sprintf(",scope=%q", "repository:"+repository+":pull")
	}
	if detail != "" {
		challenge += fmt.Sprintf(",error=%q", detail)
	}
	return []string{challenge}
}

// token answers at the token endpoint, for this host or for the one whose
// challenge points here.
func (p *play) token(w http.ResponseWriter, request *http.Request) {
	auth := p.host.Auth
	if auth == nil {
		writeError(w, http.StatusNotFound, "NOT_FOUND", "there is no token service here")
		return
	}
	_ = request.ParseForm()
	user, password, named := request.BasicAuth()
	status := auth.Get
	if request.Method == http.MethodPost {
		status = auth.Post
		user, password = request.Form.Get("username"), request.Form.Get("password")
		named = user != "" || request.Form.Get("grant_type") == "password"
		if user == "" && request.Form.Get("refresh_token") != "" {
			user, password, named = labUser, request.Form.Get("refresh_token"), true
		}
	}
	switch {
	case status != 0:
		writeError(w, status, "UNSUPPORTED", "this is not how tokens are given here")
		return
	case named && !auth.knows(user, password):
		writeError(w, http.StatusUnauthorized, "UNAUTHORIZED", "incorrect username or password")
		return
	}
	prefixes := auth.Grants
	if named && len(prefixes) == 0 {
		prefixes = []string{""}
	}
	if !named {
		prefixes = auth.Strangers
		if len(prefixes) == 0 && !auth.EmptyTokens {
			writeError(w, http.StatusUnauthorized, "UNAUTHORIZED", "who are you?")
			return
		}
	}
	token := p.newToken(auth, user, request.Form["scope"], prefixes)
	p.lab.tokens.remember(token, prefixes)
	body := map[string]any{"expires_in": 300}
	if auth.Field != "access_token" {
		body["token"] = token
	}
	if auth.Field != "token" {
		body["access_token"] = token
	}
	writeJSON(w, http.StatusOK, body)
}

// newToken is a token as registries issue them. Its signature is none: who
// issued it knows it again.
func (p *play) newToken(auth *login, user string, scopes, prefixes []string) string {
	if auth.Opaque {
		return rand.Text() + strings.Repeat("x", auth.Padding)
	}
	granted := []access{}
	for _, scope := range strings.Fields(strings.Join(scopes, " ")) {
		if wanted, ok := parseScope(scope); ok && hasPrefix(wanted.Name, prefixes) {
			wanted.Actions = []string{"pull"}
			granted = append(granted, wanted)
		}
	}
	claims := map[string]any{
		"iss": p.host.Name, "sub": user, "aud": p.host.Name, "access": granted,
		"exp": time.Now().Add(5 * time.Minute).Unix(), "iat": time.Now().Unix(), "jti": rand.Text(),
		"padding": strings.Repeat("x", auth.Padding),
	}
	token, err := joinSegments(map[string]any{"typ": "JWT", "alg": "ES256"}, claims)
	if err != nil {
		encoded, _ := json.Marshal(err.Error())
		return string(encoded)
	}
	return token + "." + rand.Text()
}
