package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// providerName is the credential provider that the kubelet of Azure asks; this
// program is it where it has that name. On the wire it does what
// cmd/acr-credential-provider of
// https://github.com/kubernetes-sigs/cloud-provider-azure, commit 7b31c76c, does.
const providerName = "acr-credential-provider"

// What a real node has once, a node of the lab has once for each case: in a
// directory named after the first label of the image's host.
const (
	providerConfigFile      = "azure.json"
	providerEnvironmentFile = "akscustom.json"
	// providerTokensFile is there where the node is set up for the tokens of service accounts.
	providerTokensFile = "service-account-tokens"
)

// pluginVariable names the plugin of AKS itself, where that shall answer in
// place of ours, to see whether both do the same.
const pluginVariable = "REGISTRYCHECK_ACR_PLUGIN"

// providerConfig is what the provider reads of a node's azure.json.
type providerConfig struct {
	Cloud           string `json:"cloud"`
	TenantID        string `json:"tenantId"`
	ClientID        string `json:"aadClientId"`
	ClientSecret    string `json:"aadClientSecret"`
	ManagedIdentity bool   `json:"useManagedIdentityExtension"`
	IdentityID      string `json:"userAssignedIdentityID"`
}

// providerRequest and providerResponse are those of credentialprovider.kubelet.k8s.io/v1.
type providerRequest struct {
	APIVersion  string            `json:"apiVersion"`
	Kind        string            `json:"kind"`
	Image       string            `json:"image"`
	Token       string            `json:"serviceAccountToken,omitempty"`
	Annotations map[string]string `json:"serviceAccountAnnotations,omitempty"`
}

type providerResponse struct {
	APIVersion    string                   `json:"apiVersion"`
	Kind          string                   `json:"kind"`
	CacheKeyType  string                   `json:"cacheKeyType"`
	CacheDuration string                   `json:"cacheDuration"`
	Auth          map[string]providerLogin `json:"auth"`
}

type providerLogin struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

// provider is one call of the provider.
type provider struct {
	directory   string // with the files of the node
	config      providerConfig
	loginHost   string
	suffix      string // of registries, where the environment names one
	request     providerRequest
	httpClient  http.Client
	metadataURL string
}

// provideCredentials is the provider's main. On a failure it says nothing on
// its standard output, and much on the other.
func provideCredentials(args []string, input io.Reader, output, errorOutput io.Writer) int {
	p, err := newProvider(args, input)
	if plugin := os.Getenv(pluginVariable); plugin != "" && err == nil {
		return p.delegate(plugin, output, errorOutput)
	}
	if err == nil {
		err = p.answer(output)
	}
	if err != nil {
		fmt.Fprintf(errorOutput, "Error: %v\nUsage:\n  %s [configFile] [flags]\n", err, providerName)
		return 1
	}
	return 0
}

func newProvider(args []string, input io.Reader) (*provider, error) {
	if len(args) != 1 {
		return nil, errors.New("the directory of the cases is the only argument")
	}
	p := &provider{
		// The provider's own patience, longer than the minute of the kubelet's less its own start.
		httpClient:  http.Client{Timeout: time.Minute},
		metadataURL: "http://169.254.169.254/metadata/identity/oauth2/token",
	}
	if err := json.NewDecoder(input).Decode(&p.request); err != nil {
		return nil, fmt.Errorf("reading the request: %w", err)
	}
	label, _, _ := strings.Cut(p.request.Image, ".")
	p.directory = filepath.Join(args[0], label)
	if _, err := os.Stat(p.file(providerTokensFile)); err != nil {
		p.request.Token, p.request.Annotations = "", nil
	}
	return p, nil
}

func (p *provider) file(name string) string { return filepath.Join(p.directory, name) }

// delegate lets the plugin answer that this one is made after.
func (p *provider) delegate(plugin string, output, errorOutput io.Writer) int {
	request, err := json.Marshal(p.request)
	if err != nil {
		fmt.Fprintln(errorOutput, err)
		return 1
	}
	cmd := exec.Command(plugin, p.file(providerConfigFile))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(request), output, errorOutput
	if _, err := os.Stat(p.file(providerEnvironmentFile)); err == nil {
		cmd.Env = append(os.Environ(), "AZURE_ENVIRONMENT_FILEPATH="+p.file(providerEnvironmentFile))
	}
	if err := cmd.Run(); err != nil {
		return 1
	}
	return 0
}

func (p *provider) answer(output io.Writer) error {
	content, err := os.ReadFile(p.file(providerConfigFile))
	if err == nil {
		err = json.Unmarshal(content, &p.config)
	}
	if err != nil {
		return fmt.Errorf("failed to load config: %w", err)
	}
	if err := p.readEnvironment(p.file(providerEnvironmentFile)); err != nil {
		return err
	}
	response, err := p.credentials()
	if err != nil {
		return err
	}
	return json.NewEncoder(output).Encode(response)
}

// readEnvironment finds the login host and the registries' suffix of a cloud: a
// name that nobody knows is that of the public one, and so is AzureStackCloud
// without a file (pkg/azclient/cloud.go).
func (p *provider) readEnvironment(file string) error {
	p.loginHost, p.suffix = "login.microsoftonline.com", "azurecr.io"
	switch strings.ToUpper(p.config.Cloud) {
	case "AZUREUSGOVERNMENT", "AZUREUSGOVERNMENTCLOUD":
		p.loginHost, p.suffix = "login.microsoftonline.us", "azurecr.us"
	case "AZURECHINACLOUD":
		p.loginHost, p.suffix = "login.chinacloudapi.cn", "azurecr.cn"
	case "AZURESTACKCLOUD":
		content, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) {
			return nil // AZURE_ENVIRONMENT_FILEPATH would not be set.
		}
		if err != nil {
			return fmt.Errorf("failed to load config: %w", err)
		}
		environment := struct {
			ActiveDirectoryEndpoint    string `json:"activeDirectoryEndpoint"`
			ContainerRegistryDNSSuffix string `json:"containerRegistryDNSSuffix"`
		}{}
		if err := json.Unmarshal(content, &environment); err != nil {
			return fmt.Errorf("failed to load config: %w", err)
		}
		endpoint, err := url.Parse(environment.ActiveDirectoryEndpoint)
		if err != nil {
			return err
		}
		p.loginHost, p.suffix = endpoint.Host, strings.TrimPrefix(environment.ContainerRegistryDNSSuffix, ".")
	}
	return nil
}

// registryHost matches the hosts of registries (pkg/credentialprovider/azure_credentials.go).
var registryHost = regexp.MustCompile(`^[a-zA-Z0-9]+\.(azurecr\.io|azurecr\.cn|azurecr\.de|azurecr\.us)$`)

func (p *provider) credentials() (*providerResponse, error) {
	response := &providerResponse{
		APIVersion: "credentialprovider.kubelet.k8s.io/v1", Kind: "CredentialProviderResponse",
		CacheKeyType: "Registry", CacheDuration: "0s", Auth: map[string]providerLogin{},
	}
	host, _, _ := strings.Cut(p.request.Image, "/")
	// A name with hyphens or a port is none of those, but has the suffix in it.
	if !registryHost.MatchString(host) && (p.suffix == "" || !strings.Contains(host, p.suffix)) {
		return response, nil
	}
	response.CacheDuration = "1h0m0s"
	response.Auth["*.azurecr.*"] = providerLogin{}
	token, err := p.serviceAccountToken()
	if err != nil {
		return nil, err
	}
	if !p.config.ManagedIdentity {
		// Whatever token there was is not looked at.
		for _, suffix := range []string{"io", "cn", "de", "us"} {
			response.Auth["*.azurecr."+suffix] = providerLogin{p.config.ClientID, p.config.ClientSecret}
		}
		return response, nil
	}
	if token == nil {
		token = p.identityToken
	}
	refreshToken, err := p.fromRegistry(host, token)
	if err != nil {
		return nil, err
	}
	response.Auth[host] = providerLogin{tokenUser, refreshToken}
	return response, nil
}

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
