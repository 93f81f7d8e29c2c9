package main

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

func TestGrant(t *testing.T) {
	pull := func(name string) access { return access{"repository", name, []string{"pull"}} }
	for _, test := range []struct {
		user   string
		scopes []string
		want   []access
	}{
		{"alice", []string{"repository:shop/api:pull"}, []access{pull("shop/api")}},
		{"alice", []string{"repository:shop/api:pull,push"}, []access{pull("shop/api")}},
		{"alice", []string{"repository:shop/api:push"}, []access{}},
		{"alice", []string{"repository:public/tool:pull"}, []access{}},
		{"alice", []string{"repository:shopping/api:pull"}, []access{}},
		{"alice", []string{"repository:shop/a:pull", "repository:shop/b:pull"}, []access{pull("shop/a"), pull("shop/b")}},
		{"alice", []string{"repository:shop/a:pull repository:public/b:pull"}, []access{pull("shop/a")}},
		{"alice", []string{"registry:catalog:*"}, []access{}},
		{"alice", []string{"repository:shop/api"}, []access{}},
		{"alice", nil, []access{}},
		{"", []string{"repository:public/tool:pull"}, []access{pull("public/tool")}},
		{"", []string{"repository:shop/api:pull"}, []access{}},
	} {
		if got := grant(test.user, test.scopes); !reflect.DeepEqual(got, test.want) {
			t.Errorf("grant(%q, %q) = %v, want %v", test.user, test.scopes, got, test.want)
		}
	}
}

func TestTokenAnswers(t *testing.T) {
	issuer := testIssuer(t)
	for _, test := range []struct {
		name, method, service, user, password string
		want                                  int
	}{
		{"right password", "GET", "bearer.test", "alice", bearerPassword, 200},
		{"anonymous", "GET", "bearer.test", "", "", 200},
		{"wrong password", "GET", "bearer.test", "alice", "wrong", 401},
		{"password of another registry", "GET", "bearer.test", "alice", basicPassword, 401},
		{"wrong user", "GET", "bearer.test", "bob", bearerPassword, 401},
		{"unknown service", "GET", "other.test", "alice", bearerPassword, 400},
		{"OAuth2", "POST", "bearer.test", "", "", 405},
	} {
		response := ask(issuer, test.method, test.service, "repository:shop/api:pull", test.user, test.password)
		if response.Code != test.want {
			t.Errorf("%s: status %d, want %d", test.name, response.Code, test.want)
		}
		var body map[string]any
		if err := json.Unmarshal(response.Body.Bytes(), &body); err != nil {
			t.Errorf("%s: the body is not JSON: %v", test.name, err)
		}
		if _, isError := body["errors"]; isError != (test.want != 200) {
			t.Errorf("%s: body %v", test.name, body)
		}
	}
}

func TestTokenSaysWhatIsGrantedAndIsSigned(t *testing.T) {
	issuer := testIssuer(t)
	response := ask(issuer, "GET", "bearer.test", "repository:shop/api:pull,push", "alice", bearerPassword)
	var body struct{ Token string }
	if err := json.Unmarshal(response.Body.Bytes(), &body); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(body.Token, ".")
	if len(parts) != 3 {
		t.Fatalf("a token of %d parts", len(parts))
	}
	var claims struct {
		Aud, Sub string
		Access   []access
	}
	if err := json.Unmarshal(decode(t, parts[1]), &claims); err != nil {
		t.Fatal(err)
	}
	if claims.Aud != "bearer.test" || claims.Sub != "alice" ||
		!reflect.DeepEqual(claims.Access, []access{{"repository", "shop/api", []string{"pull"}}}) {
		t.Errorf("claims %+v", claims)
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	signature := decode(t, parts[2])
	r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
	if !ecdsa.Verify(issuer.key.Leaf.PublicKey.(*ecdsa.PublicKey), digest[:], r, s) {
		t.Error("the signature is not valid")
	}
}

func testIssuer(t *testing.T) tokenIssuer {
	t.Helper()
	authority, err := newAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	issuer := tokenServer
	if issuer.key, err = authority.issue(wish{commonName: "token signer"}); err != nil {
		t.Fatal(err)
	}
	return issuer
}

func ask(issuer tokenIssuer, method, service, scope, user, password string) *httptest.ResponseRecorder {
	query := url.Values{"service": {service}, "scope": {scope}}
	request := httptest.NewRequest(method, issuer.realm()+"?"+query.Encode(), http.NoBody)
	if user != "" {
		request.SetBasicAuth(user, password)
	}
	response := httptest.NewRecorder()
	issuer.ServeHTTP(response, request)
	return response
}

func decode(t *testing.T, segment string) []byte {
	t.Helper()
	content, err := base64.RawURLEncoding.DecodeString(segment)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
