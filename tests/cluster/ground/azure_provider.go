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
	"runtime"
	"strings"
	"syscall"
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
	// The kubelet kills who is too slow, and means the plugin. The signal is
	// about the thread that started it.
	runtime.LockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
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
