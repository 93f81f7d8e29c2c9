package main

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// azureRole is what a host plays of Azure: one of these.
type azureRole struct {
	// Metadata is the instance metadata service of a node (IMDS).
	Metadata bool `json:"metadata"`
	// Login is Entra ID.
	Login bool `json:"login"`
	// Storage is where a registry's blobs are.
	Storage bool `json:"storage"`
	// Registry is a container registry.
	Registry *azureRegistry `json:"registry"`
}

// isService says whether it is something else than a registry.
func (r *azureRole) isService() bool { return r != nil && r.Registry == nil }

// identity is an application or a managed identity of Entra ID.
type identity struct {
	Case       string `json:"case"`
	ClientID   string `json:"clientId"`
	ResourceID string `json:"resourceId"`
	Tenant     string `json:"tenant"`
	// Node says whether the node has it, so that IMDS gives tokens for it.
	Node bool `json:"node"`
	// System is the identity of the node itself, which is asked for without a name.
	System bool `json:"system"`
	// Secret is its client secret.
	Secret string `json:"secret"`
	// Federated are the assertions that it takes in place of a secret.
	Federated []federated `json:"federated"`
	// Audiences are the resources of its tenant; all that we know where there are none.
	Audiences []string `json:"audiences"`
	// FromMetadata and FromLogin are answers out of the ordinary about it.
	FromMetadata []answer `json:"fromMetadata"`
	FromLogin    []answer `json:"fromLogin"`
}

// federated is a federated identity credential.
type federated struct {
	Issuer   string `json:"issuer"`
	Subject  string `json:"subject"`
	Audience string `json:"audience"`
}

// azure is what the hosts of Azure know together.
type azure struct {
	identities []*identity
	mutex      sync.Mutex
	issued     map[string]issued
}

// playAzure plays the hosts and identities that the file tells of, for as long
// as it lives. Their addresses are public ones, which have no way out of the ground.
func playAzure(file string) error {
	l := &lab{}
	content := struct {
		Hosts      *[]*misbehaving `json:"hosts"`
		Identities *[]*identity    `json:"identities"`
	}{&l.hosts, &l.azure.identities}
	if err := decodeStrictly(file, &content); err != nil {
		return err
	}
	for _, host := range l.hosts {
		if host.Azure != nil && host.Azure.Registry != nil {
			host.Chain = azureChain(host)
		}
	}
	return l.play("20.62.0.0", zonesOf(l.hosts))
}

// azureChain are the aliases of a registry: a public one's are a traffic
// manager's, a front end's and a region's (the canonical name that `az aks
// check-acr` prints, https://github.com/Azure/azure-cli/pull/16490, ends in
// REGION.cloudapp.azure.com).
func azureChain(host *misbehaving) []string {
	registry, isPublic := strings.CutSuffix(host.Name, ".azurecr.io")
	if host.Chain != nil || !isPublic {
		return host.Chain
	}
	registry = strings.ReplaceAll(registry, ".", "-")
	return []string{registry + ".trafficmanager.net", registry + ".fe.azcr.io", registry + ".eastus.cloudapp.azure.com"}
}

// zonesOf are the domains of all names, to be answered by us.
func zonesOf(hosts []*misbehaving) []string {
	zones := []string{}
	for _, host := range hosts {
		for _, name := range append([]string{host.Name}, host.Chain...) {
			labels := strings.Split(name, ".")
			zones = append(zones, strings.Join(labels[max(0, len(labels)-2):], "."))
		}
	}
	slices.Sort(zones)
	return slices.Compact(zones)
}

// answerAsAzure answers what was asked of a host of Azure.
func (p *play) answerAsAzure(w *statusRecorder, request *http.Request, wanted asked, content *blob, manner string) {
	switch role := p.host.Azure; {
	case role.Metadata:
		p.metadata(w, request)
	case role.Login:
		p.login(w, request)
	case role.Storage:
		p.storage(w, request, manner)
	default:
		p.registry(w, request, wanted, content, manner)
	}
}

// azureNames are the placeholders that the words of Azure have.
func (p *play) azureNames(more ...string) *strings.Replacer {
	return strings.NewReplacer(append([]string{"{host}", p.host.host(), "{id}", newID()}, more...)...)
}

// namesOf are the placeholders about an identity and what it asks for.
func (p *play) namesOf(client, tenant, resource string) *strings.Replacer {
	return p.azureNames("{client}", client, "{tenant}", tenant, "{resource}", resource)
}

// oddAnswerOf gives the first answer of these that is not used up, if there is one.
func (p *play) oddAnswerOf(answers []answer, w *statusRecorder, request *http.Request, names *strings.Replacer) bool {
	for i := range answers {
		if answers[i].again() {
			return p.giveOdd(w, request, &answers[i], names)
		}
	}
	return false
}

// newID is an identifier as Azure has them.
func newID() string {
	var raw [16]byte
	_, _ = rand.Read(raw[:]) // It never fails: crypto/rand.
	return fmt.Sprintf("%x-%x-4%x-8%x-%x", raw[:4], raw[4:6], raw[6:8], raw[8:10], raw[10:])[:36]
}

// alone is the case that runs by itself, as those have to in which nothing
// tells the metadata service whom a question is about.
func (l *lab) alone() string {
	name, err := os.ReadFile(filepath.Join(l.state, "azure", "alone"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(name))
}
