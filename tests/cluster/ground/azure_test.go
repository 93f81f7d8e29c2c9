package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestWhichIdentityAQuestionIsAbout(t *testing.T) {
	resource := "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/kubelet"
	l := &lab{}
	l.azure.identities = []*identity{
		{Case: "one", ClientID: "1", ResourceID: resource, Node: true},
		{Case: "gone", ClientID: "2"},
		{Case: "two", ClientID: "3", Node: true},
		{Case: "two", ClientID: "4", Node: true},
		{Case: "own", ClientID: "5", Node: true},
		{Case: "own", ClientID: "6", Node: true, System: true},
	}
	for _, c := range []struct {
		query, alone string
		want         []string
	}{
		{query: "client_id=1", want: []string{"1"}},
		{query: "client_id=2"},
		{query: "client_id=" + url.QueryEscape(resource)},
		{query: "msi_res_id=" + url.QueryEscape(strings.ToUpper(resource)), want: []string{"1"}},
		{query: "", alone: "one", want: []string{"1"}},
		{query: "", alone: "two", want: []string{"3", "4"}},
		{query: "", alone: "own", want: []string{"6"}},
		{query: "", alone: ""},
	} {
		query, err := url.ParseQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, who := range l.nodeIdentities(query.Get, c.alone) {
			got = append(got, who.ClientID)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q alone %q: %v, want %v", c.query, c.alone, got, c.want)
		}
	}
}

func TestWhatAnAssertionIsRefusedFor(t *testing.T) {
	p := &play{lab: &lab{}, host: &misbehaving{Name: "login.microsoftonline.com"}}
	who := &identity{Federated: []federated{{Issuer: "https://issuer", Subject: "system:serviceaccount:shop:api", Audience: "us"}}}
	for want, claims := range map[string]map[string]any{
		"":              {"iss": "https://issuer", "sub": "system:serviceaccount:shop:api", "aud": []string{"us"}},
		"AADSTS700211":  {"iss": "https://other", "sub": "system:serviceaccount:shop:api", "aud": []string{"us"}},
		"AADSTS700212":  {"iss": "https://issuer", "sub": "system:serviceaccount:shop:api", "aud": []string{"them"}},
		"AADSTS700213":  {"iss": "https://issuer", "sub": "system:serviceaccount:shop:web", "aud": []string{"us"}},
		"AADSTS7002138": {"iss": "https://issuer", "sub": "system:serviceaccount:Shop:api", "aud": []string{"us"}},
	} {
		assertion, err := joinSegments(map[string]any{}, claims)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := p.judgeAssertion(who, assertion+".signature"); got != want {
			t.Errorf("%v: %q, want %q", claims, got, want)
		}
	}
}

func TestRightsAreThoseOfAPrefix(t *testing.T) {
	some := rights{"shop/": {"pull"}, "shop/api": {"metadata_read"}, "ops/": {"push"}}
	for repository, want := range map[string][]string{
		"shop/api": {"metadata_read", "pull"}, "shop/web": {"pull"}, "ops/x": {"push"}, "other": nil,
	} {
		if got := some.on(repository); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", repository, got, want)
		}
	}
}

func TestWordsAreWhatTheyClaimToBe(t *testing.T) {
	for name, known := range azureWords {
		body := []byte(known.body)
		if known.headers["Content-Type"] == "application/xml" {
			if err := xml.Unmarshal(bytes.TrimPrefix(body, []byte("\ufeff")), &struct{ Code string }{}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		} else if !json.Valid(body) {
			t.Errorf("%s is no JSON: %s", name, body)
		}
	}
}

func TestARegistryIsReachedByItsAliases(t *testing.T) {
	host := &misbehaving{Name: "shop.azurecr.io", address: netip.MustParseAddr("20.62.0.9"), Azure: &azureRole{Registry: &azureRegistry{}}}
	host.Chain = azureChain(host)
	l := &lab{hosts: []*misbehaving{host}}
	query := append([]byte{1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}, encodeName(host.Name)...)
	response := l.resolve(append(query, 0, dnsTypeA, 0, 1))
	if response[7] != 4 || !bytes.HasSuffix(response, []byte{20, 62, 0, 9}) {
		t.Errorf("three aliases and an address: %x", response)
	}
	response = l.resolve(append(query, 0, dnsTypeAlias, 0, 1))
	if response[7] != 1 || !bytes.HasSuffix(response, encodeName("shop.trafficmanager.net")) {
		t.Errorf("the first alias alone: %x", response)
	}
	if _, rest := l.byAlias("SHOP.fe.azcr.io"); !slices.Equal(rest, []string{"shop.eastus.cloudapp.azure.com"}) {
		t.Errorf("what comes after an alias: %v", rest)
	}
	if zones := zonesOf(l.hosts); !slices.Equal(zones, []string{"azcr.io", "azure.com", "azurecr.io", "trafficmanager.net"}) {
		t.Errorf("the domains: %v", zones)
	}
}

func TestAProviderWithASecretAsksNobody(t *testing.T) {
	answer := func(image, config string) (string, string, int) {
		directory := t.TempDir()
		if err := os.Mkdir(filepath.Join(directory, "shop"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(directory, "shop", providerConfigFile), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		var output, errorOutput strings.Builder
		request := `{"kind":"CredentialProviderRequest","image":"` + image + `"}`
		code := provideCredentials([]string{directory}, strings.NewReader(request), &output, &errorOutput)
		return output.String(), errorOutput.String(), code
	}
	principal := `{"aadClientId":"app","aadClientSecret":"secret"}`
	if output, errors, code := answer("shop.azurecr.io/api:v1", principal); code != 0 ||
		!strings.Contains(output, `"*.azurecr.us":{"username":"app","password":"secret"}`) ||
		!strings.Contains(output, `"*.azurecr.*":{"username":"","password":""}`) {
		t.Errorf("a principal's secret as it is: %d %s %s", code, output, errors)
	}
	if output, errors, code := answer("shop.example.com/api:v1", principal); code != 0 || !strings.Contains(output, `"auth":{}`) {
		t.Errorf("nothing for another registry: %d %s %s", code, output, errors)
	}
	if output, errors, code := answer("web.azurecr.io/api:v1", principal); code != 1 || output != "" || !strings.Contains(errors, "Usage:") {
		t.Errorf("a failure says nothing where the kubelet reads: %d %s %s", code, output, errors)
	}
}
