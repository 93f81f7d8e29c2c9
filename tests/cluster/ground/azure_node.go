package main

import (
	"errors"
	"fmt"
	"os"
)

// azureVariable is set, to anything, where the node shall be one of Azure: its
// kubelet then asks the credential provider about registries of Azure.
const azureVariable = "REGISTRYCHECK_GROUND_AZURE"

// prepareProvider makes what the kubelet of Azure needs, and returns the
// arguments that tell it; there is nothing where the node is an ordinary one.
func (g *ground) prepareProvider() ([]string, error) {
	if os.Getenv(azureVariable) == "" {
		return nil, nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	configuration := fmt.Sprintf(providerConfiguration, providerName, g.path("azure"), g.path("ca.crt"))
	err = errors.Join(
		os.Mkdir(g.path("azure"), 0o755),
		os.Mkdir(g.path("providers"), 0o755),
		os.Symlink(self, g.path("providers", providerName)),
		os.WriteFile(g.path("credential-provider-config.yaml"), []byte(configuration), 0o644))
	return []string{
		"--image-credential-provider-config=" + g.path("credential-provider-config.yaml"),
		"--image-credential-provider-bin-dir=" + g.path("providers"),
	}, err
}

// providerConfiguration has the patterns that AKS writes into
// /var/lib/kubelet/credential-provider-config.yaml, and the tokens of service
// accounts (KEP-4412), which the provider takes in the cases that want it.
const providerConfiguration = `apiVersion: kubelet.config.k8s.io/v1
kind: CredentialProviderConfig
providers:
- name: %s
  apiVersion: credentialprovider.kubelet.k8s.io/v1
  matchImages: ["*.azurecr.io", "*.azurecr.cn", "*.azurecr.de", "*.azurecr.us"]
  defaultCacheDuration: 10m
  args: [%q]
  env: [{name: SSL_CERT_FILE, value: %q}]
  tokenAttributes:
    serviceAccountTokenAudience: api://AzureADTokenExchange
    cacheType: ServiceAccount
    requireServiceAccount: false
    optionalServiceAccountAnnotationKeys: [kubernetes.azure.com/acr-client-id, kubernetes.azure.com/acr-tenant-id]
`
