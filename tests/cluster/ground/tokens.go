package main

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"slices"
	"strings"
	"time"
)

// tokenServer is where bearer.test sends people for a token, as described in
// https://distribution.github.io/distribution/spec/auth/token/.
var tokenServer = tokenIssuer{name: "auth.test", address: "10.0.0.19", service: "bearer.test"}

type tokenIssuer struct {
	name    string
	address string
	service string
	key     tls.Certificate // its chain is what the registry verifies
}

// access is one entry of a token's access list.
type access struct {
	Type    string   `json:"type"`
	Name    string   `json:"name"`
	Actions []string `json:"actions"`
}

const tokenLifetime = 5 * time.Minute

func (t tokenIssuer) realm() string { return "https://" + t.name + "/token" }

func (g *ground) startTokenServer() error {
	issuer := tokenServer
	var err error
	if issuer.key, err = g.registry.issue(wish{commonName: "token signer"}); err != nil {
		return err
	}
	return g.serve(issuer.name, issuer.address+":443", issuer)
}

// ServeHTTP answers a request for a token. POST, the OAuth2 variant, is
// refused with 405, as by many servers in use, so that clients fall back to GET.
func (t tokenIssuer) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	if request.URL.Path != "/token" {
		writeError(w, http.StatusNotFound, "NOT_FOUND", "the token endpoint is /token")
		return
	}
	if request.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		writeError(w, http.StatusMethodNotAllowed, "UNSUPPORTED", "only GET is supported")
		return
	}
	query := request.URL.Query()
	if service := query.Get("service"); service != t.service {
		writeError(w, http.StatusBadRequest, "DENIED", fmt.Sprintf("unknown service %q", service))
		return
	}
	user, password, authenticating := request.BasicAuth()
	if authenticating && (user != userName || password != bearerPassword) {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf("Basic realm=%q", t.name))
		writeError(w, http.StatusUnauthorized, "UNAUTHORIZED", "incorrect username or password")
		return
	}
	now := time.Now()
	token, err := t.token(user, grant(user, query["scope"]), now)
	if err != nil {
		writeError(w, http.StatusInternalServerError, "UNKNOWN", err.Error())
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"token":        token,
		"access_token": token,
		"expires_in":   int(tokenLifetime.Seconds()),
		"issued_at":    now.UTC().Format(time.RFC3339),
	})
}

// grant is that part of the wanted scopes which the user may have: alice pulls
// from shop/, and who has no name from public/.
func grant(user string, scopes []string) []access {
	prefix := "public/"
	if user != "" {
		prefix = "shop/"
	}
	granted := []access{}
	for _, scope := range strings.Fields(strings.Join(scopes, " ")) {
		wanted, ok := parseScope(scope)
		if ok && wanted.Type == "repository" && strings.HasPrefix(wanted.Name, prefix) && slices.Contains(wanted.Actions, "pull") {
			wanted.Actions = []string{"pull"}
			granted = append(granted, wanted)
		}
	}
	return granted
}

// parseScope reads TYPE:NAME:ACTION,… where the name may have colons itself.
func parseScope(scope string) (access, bool) {
	first, last := strings.Index(scope, ":"), strings.LastIndex(scope, ":")
	if first == last { // one colon or none
		return access{}, false
	}
	return access{
		Type:    scope[:first],
		Name:    scope[first+1 : last],
		Actions: strings.Split(scope[last+1:], ","),
	}, true
}

// token is a JSON web token signed with ES256, which carries the signer's
// certificate for the registry to verify.
func (t tokenIssuer) token(user string, granted []access, now time.Time) (string, error) {
	header := map[string]any{
		"typ": "JWT",
		"alg": "ES256",
		"x5c": [][]byte{t.key.Certificate[0]}, // JSON has bytes in base64, as x5c wants it
	}
	claims := map[string]any{
		"iss":    t.name,
		"sub":    user,
		"aud":    t.service,
		"iat":    now.Unix(),
		"nbf":    now.Add(-time.Minute).Unix(),
		"exp":    now.Add(tokenLifetime).Unix(),
		"jti":    rand.Text(),
		"access": granted,
	}
	signed, err := joinSegments(header, claims)
	if err != nil {
		return "", err
	}
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, t.key.PrivateKey.(*ecdsa.PrivateKey), digest[:])
	if err != nil {
		return "", err
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

func joinSegments(header, claims any) (string, error) {
	var segments []string
	for _, part := range []any{header, claims} {
		content, err := json.Marshal(part)
		if err != nil {
			return "", err
		}
		segments = append(segments, base64.RawURLEncoding.EncodeToString(content))
	}
	return strings.Join(segments, "."), nil
}

// writeError answers as registries do.
func writeError(w http.ResponseWriter, status int, code, message string) {
	writeJSON(w, status, map[string]any{"errors": []map[string]string{{"code": code, "message": message}}})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // Whoever hung up needs no answer.
}

// logged writes a line for each request, with the user's name and never the password.
func logged(lines *log.Logger, handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		handler.ServeHTTP(recorder, request)
		user, _, _ := request.BasicAuth()
		lines.Printf("%s %q %q %d", request.RemoteAddr, user, request.Method+" "+request.URL.RequestURI(), recorder.status)
	})
}

type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (r *statusRecorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}
