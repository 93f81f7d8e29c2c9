package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// azureOf is a lab with a registry, its storage and the metadata service.
func azureOf(t *testing.T, registry azureRegistry) map[string]*play {
	t.Helper()
	journal, err := openJournal(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{state: t.TempDir(), journal: journal}
	l.azure.identities = []*identity{{Case: "shop", ClientID: "kubelet", Tenant: "tenant", Node: true}}
	registry.Data = "shop.eastus.data.azurecr.io"
	images := map[string]string{"shop/api:v1": "image"}
	hosts := map[string]*play{}
	for _, host := range []*misbehaving{
		{Name: "169.254.169.254", Port: 80, Azure: &azureRole{Metadata: true}},
		{Name: "shop.azurecr.io", Case: "shop", Images: images, Azure: &azureRole{Registry: &registry}},
		{Name: registry.Data, Case: "shop", Images: images, Azure: &azureRole{Storage: true}},
	} {
		l.hosts = append(l.hosts, host)
		hosts[host.Name] = &play{lab: l, host: host}
	}
	return hosts
}

// askAzure asks a host, and returns its answer and what is in its body.
func askAzure(hosts map[string]*play, method, address, authorization string, form url.Values) (*httptest.ResponseRecorder, map[string]any) {
	request := httptest.NewRequest(method, address, strings.NewReader(form.Encode()))
	request.Header.Set("Metadata", "true")
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	response := httptest.NewRecorder()
	hosts[request.URL.Hostname()].ServeHTTP(response, request)
	fields := map[string]any{}
	_ = json.Unmarshal(response.Body.Bytes(), &fields)
	return response, fields
}

// exchanged is the registry's answer to a token for that resource.
func exchanged(t *testing.T, hosts map[string]*play, resource string) (*httptest.ResponseRecorder, map[string]any) {
	t.Helper()
	metadata := "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&client_id=kubelet&resource="
	_, given := askAzure(hosts, http.MethodGet, metadata+url.QueryEscape(resource), "", nil)
	token, ok := given["access_token"].(string)
	if !ok {
		t.Fatalf("no token for %s: %v", resource, given)
	}
	return askAzure(hosts, http.MethodPost, "https://shop.azurecr.io/oauth2/exchange", "", url.Values{
		"grant_type": {"access_token"}, "service": {"shop.azurecr.io"}, "tenant": {"tenant"}, "access_token": {token},
	})
}

func TestAnIdentityGetsAsFarAsABlob(t *testing.T) {
	if _, err := os.Stat("/bin/busybox"); err != nil {
		t.Fatalf("images are made of busybox: %v", err)
	}
	hosts := azureOf(t, azureRegistry{})
	_, refresh := exchanged(t, hosts, registryResource)
	scope := "https://shop.azurecr.io/oauth2/token?service=shop.azurecr.io&scope=repository:shop/api:pull"
	request := httptest.NewRequest(http.MethodGet, scope, nil)
	request.SetBasicAuth(tokenUser, refresh["refresh_token"].(string))
	_, given := askAzure(hosts, http.MethodGet, scope, request.Header.Get("Authorization"), nil)
	bearer := "Bearer " + given["access_token"].(string)

	manifest, fields := askAzure(hosts, http.MethodGet, "https://shop.azurecr.io/v2/shop/api/manifests/v1", bearer, nil)
	if manifest.Code != http.StatusOK {
		t.Fatalf("the manifest: %d %s", manifest.Code, manifest.Body)
	}
	digest := fields["config"].(map[string]any)["digest"].(string)
	blob, _ := askAzure(hosts, http.MethodGet, "https://shop.azurecr.io/v2/shop/api/blobs/"+digest, bearer, nil)
	location := blob.Header().Get("Location")
	if blob.Code != http.StatusTemporaryRedirect || !strings.HasPrefix(location, "https://shop.eastus.data.azurecr.io/") {
		t.Fatalf("a blob is elsewhere: %d %s", blob.Code, location)
	}
	if content, _ := askAzure(hosts, http.MethodGet, location, "", nil); content.Code != http.StatusOK {
		t.Errorf("the signature opens: %d", content.Code)
	}
	if refused, _ := askAzure(hosts, http.MethodGet, location, bearer, nil); refused.Code != http.StatusBadRequest {
		t.Errorf("a credential beside it does not: %d", refused.Code)
	}
	unsigned, _, _ := strings.Cut(location, "?")
	if refused, _ := askAzure(hosts, http.MethodGet, unsigned, "", nil); refused.Code != http.StatusForbidden {
		t.Errorf("nor is it open to everybody: %d", refused.Code)
	}
}

func TestWhoGetsNoFurtherThanTheExchange(t *testing.T) {
	for name, c := range map[string]struct {
		registry azureRegistry
		resource string
		want     int
		says     string
	}{
		"all is well":               {azureRegistry{}, registryResource, http.StatusOK, "refresh_token"},
		"as check-acr does":         {azureRegistry{}, armResource + "/", http.StatusOK, "refresh_token"},
		"management tokens are off": {azureRegistry{ARMTokensRefused: true}, armResource + "/", http.StatusUnauthorized, "arm aad token disallowed"},
		"the other kind is not":     {azureRegistry{ARMTokensRefused: true}, registryResource, http.StatusOK, "refresh_token"},
		"no role":                   {azureRegistry{Roles: map[string]rights{}}, registryResource, http.StatusUnauthorized, "authentication required"},
	} {
		answer, _ := exchanged(t, azureOf(t, c.registry), c.resource)
		if answer.Code != c.want || !strings.Contains(answer.Body.String(), c.says) {
			t.Errorf("%s: %d %s", name, answer.Code, answer.Body)
		}
	}
}

func TestATokenAllowsWhatIsPermitted(t *testing.T) {
	p := azureOf(t, azureRegistry{})["shop.azurecr.io"]
	token := p.newAccessToken([]string{"repository:shop/api:pull,push repository:web:pull"}, rights{"shop/": {"pull"}})
	claims, ok := claimsOf(token)
	list, err := json.Marshal(claims["access"])
	if !ok || err != nil || string(list) != `[{"actions":["pull"],"name":"shop/api","type":"repository"}]` {
		t.Errorf("%s %v", list, err)
	}
}

func TestTheJournalNamesSecretsAndHasNone(t *testing.T) {
	hosts := azureOf(t, azureRegistry{})
	_, refresh := exchanged(t, hosts, registryResource)
	file := hosts["shop.azurecr.io"].lab.journal.file.Name()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(content), `{"field":"access_token","what":"entra for https://containerregistry.azure.net","of":"shop"}`) {
		t.Errorf("what was carried: %s", content)
	}
	if strings.Contains(string(content), "canary") || strings.Contains(string(content), refresh["refresh_token"].(string)) {
		t.Errorf("a token itself: %s", content)
	}
}
