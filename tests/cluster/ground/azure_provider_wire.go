package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// serviceAccountToken is how to get a token for that of a service account;
// nil where there is none.
func (p *provider) serviceAccountToken() (func() (string, error), error) {
	if p.request.Token == "" {
		return nil, nil
	}
	const prefix = "kubernetes.azure.com/acr-"
	client, tenant := p.request.Annotations[prefix+"client-id"], p.request.Annotations[prefix+"tenant-id"]
	switch {
	case client == "":
		return nil, fmt.Errorf("client id annotation %sclient-id is not found or the value is empty", prefix)
	case tenant == "":
		return nil, fmt.Errorf("tenant id annotation %stenant-id is not found or the value is empty", prefix)
	}
	return func() (string, error) {
		authority := "https://" + p.loginHost + "/"
		discovery := url.Values{"api-version": {"1.1"}, "authorization_endpoint": {authority + tenant + "/oauth2/v2.0/authorize"}}
		for _, page := range []string{"common/discovery/instance?" + discovery.Encode(), tenant + "/v2.0/.well-known/openid-configuration"} {
			if _, err := p.ask(authority + page); err != nil {
				return "", err
			}
		}
		response, err := p.httpClient.PostForm(authority+tenant+"/oauth2/v2.0/token", url.Values{
			"grant_type": {"client_credentials"}, "client_id": {client}, "client_info": {"1"},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {p.request.Token},
			"scope": {registryResource + "/.default openid offline_access profile"},
		})
		if err != nil {
			return "", fmt.Errorf("ClientAssertionCredential authentication failed. %w", err)
		}
		status, body, err := readAnswer(response)
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("ClientAssertionCredential authentication failed. RESPONSE %d\n%s", status, body)
		}
		if err != nil {
			return "", err
		}
		return field(body, "access_token")
	}, nil
}

// identityToken gets a token of the node's identity. It is asked for again
// after 429, 5xx and where nobody answers, for longer than the kubelet waits.
func (p *provider) identityToken() (string, error) {
	query := url.Values{"api-version": {"2018-02-01"}, "resource": {registryResource}}
	switch {
	case strings.Contains(strings.ToUpper(p.config.IdentityID), "/SUBSCRIPTIONS/"):
		query.Set("msi_res_id", p.config.IdentityID)
	case p.config.IdentityID != "":
		query.Set("client_id", p.config.IdentityID)
	}
	client := http.Client{Transport: &http.Transport{Proxy: nil}} // without a limit: the kubelet has one
	for attempt := 0; ; attempt++ {
		request, err := http.NewRequest(http.MethodGet, p.metadataURL+"?"+query.Encode(), nil)
		if err != nil {
			return "", err
		}
		request.Header.Set("Metadata", "true")
		request.Header.Set("User-Agent", "azsdk-go-azidentity/v1.14.0 (go; linux)")
		wait := time.Duration(7<<attempt) * time.Second
		response, err := client.Do(request)
		if err == nil {
			var status int
			var body []byte
			after := response.Header.Get("Retry-After")
			if status, body, err = readAnswer(response); err != nil {
				return "", err
			}
			if status == http.StatusOK {
				return field(body, "access_token")
			}
			err = fmt.Errorf("ManagedIdentityCredential authentication failed. the requested identity isn't assigned to this resource\nRESPONSE %d\n%s", status, body)
			if status != http.StatusTooManyRequests && status < 500 {
				return "", err
			}
			if seconds, parsed := time.ParseDuration(after + "s"); parsed == nil {
				wait = seconds
			}
		}
		if attempt == 3 {
			return "", err
		}
		time.Sleep(wait)
	}
}

// fromRegistry makes a refresh token of the registry's out of one of Entra ID,
// which is got before the registry is asked for anything.
func (p *provider) fromRegistry(host string, token func() (string, error)) (string, error) {
	accessToken, err := token()
	if err != nil {
		return "", fmt.Errorf("failed to ensure fresh service principal token: %w", err)
	}
	response, err := p.ask("https://" + host + "/v2/")
	if err != nil {
		return "", fmt.Errorf("error reaching registry endpoint https://%s/v2/, error: %w", host, err)
	}
	if response.StatusCode != http.StatusUnauthorized {
		return "", fmt.Errorf("registry did not issue a valid AAD challenge, status: %d", response.StatusCode)
	}
	challenge := response.Header.Values("Www-Authenticate")
	if len(challenge) != 1 {
		return "", errors.New("challenge response does not contain header 'Www-Authenticate'")
	}
	realm, service := parameter(challenge[0], "realm"), parameter(challenge[0], "service")
	endpoint, err := url.Parse(realm)
	if err != nil || endpoint.Host == "" || service == "" {
		return "", fmt.Errorf("Www-Authenticate: invalid realm %s", realm)
	}
	endpoint = &url.URL{Scheme: endpoint.Scheme, Host: endpoint.Host, Path: "/oauth2/exchange"}
	form := url.Values{
		"service": {service}, "grant_type": {"access_token_refresh_token"}, "access_token": {accessToken},
		"refresh_token": {accessToken}, "tenant": {p.config.TenantID},
	}
	request, err := http.NewRequest(http.MethodPost, endpoint.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("User-Agent", "kubernetes-credentialprovider-acr")
	if response, err = p.httpClient.Do(request); err != nil {
		return "", fmt.Errorf("Www-Authenticate: failed to reach auth url %s", endpoint)
	}
	status, body, err := readAnswer(response)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("Www-Authenticate: auth url %s responded with status code %d", endpoint, status)
	}
	if err != nil {
		return "", err
	}
	return field(body, "refresh_token")
}

// ask asks for a page of which only status and headers count.
func (p *provider) ask(page string) (*http.Response, error) {
	request, err := http.NewRequest(http.MethodGet, page, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", "kubernetes-credentialprovider-acr")
	response, err := p.httpClient.Do(request)
	if err == nil {
		err = response.Body.Close()
	}
	return response, err
}

func readAnswer(response *http.Response) (int, []byte, error) {
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, body, err
}

func field(body []byte, name string) (string, error) {
	fields := map[string]any{}
	if err := json.Unmarshal(body, &fields); err != nil {
		return "", err
	}
	text, ok := fields[name].(string)
	if !ok {
		return "", fmt.Errorf("the answer has no %s", name)
	}
	return text, nil
}

// parameter is a parameter of a challenge of the one form that registries of Azure use.
func parameter(challenge, name string) string {
	parts := strings.Split(strings.TrimPrefix(challenge, "Bearer "), ",")
	i := slices.IndexFunc(parts, func(part string) bool { return strings.HasPrefix(part, name+"=") })
	if i < 0 {
		return ""
	}
	return strings.Trim(strings.TrimPrefix(parts[i], name+"="), `"`)
}
