package main

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The resources for which Entra ID gives tokens here, without a slash at the end.
const (
	registryResource = "https://containerregistry.azure.net"
	armResource      = "https://management.azure.com"
)

// armResources are the management endpoints of the clouds
// (https://github.com/Azure/azure-cli/blob/azure-cli-2.91.0/src/azure-cli-core/azure/cli/core/cloud.py).
var armResources = []string{
	armResource, "https://management.core.windows.net",
	"https://management.usgovcloudapi.net", "https://management.core.usgovcloudapi.net",
	"https://management.chinacloudapi.cn", "https://management.core.chinacloudapi.cn",
}

// knows says whether a resource is one of the identity's tenant.
func (i *identity) knows(resource string) bool {
	if len(i.Audiences) > 0 {
		return slices.Contains(i.Audiences, resource)
	}
	return resource == registryResource || slices.Contains(armResources, resource)
}

// metadata answers as the instance metadata service does
// (https://github.com/MicrosoftDocs/entra-docs/blob/main/docs/identity/managed-identities-azure-resources/how-to-use-vm-token.md).
func (p *play) metadata(w *statusRecorder, request *http.Request) {
	w.Header().Set("Server", "IMDS/150.870.65.1854")
	query := request.URL.Query()
	resource := strings.TrimSuffix(query.Get("resource"), "/")
	names := p.namesOf(query.Get("client_id"), "", resource)
	switch {
	case request.URL.Path != "/metadata/identity/oauth2/token":
		sayByName(w, "imds-not-found", names)
	case request.Header.Get("Metadata") != "true":
		sayByName(w, "imds-header", names)
	case request.Header.Get("X-Forwarded-For") != "":
		sayByName(w, "imds-forwarded", names)
	case query.Get("api-version") == "" || resource == "":
		sayByName(w, "imds-parameter", names)
	default:
		found := p.lab.nodeIdentities(query.Get, p.lab.alone())
		p.metadataToken(w, request, found, resource)
	}
}

func (p *play) metadataToken(w *statusRecorder, request *http.Request, found []*identity, resource string) {
	if len(found) == 0 {
		sayByName(w, "imds-identity", p.azureNames())
		return
	}
	who := found[0]
	names := p.namesOf(who.ClientID, who.Tenant, resource)
	switch {
	case p.oddAnswerOf(who.FromMetadata, w, request, names):
	case len(found) > 1:
		sayByName(w, "imds-ambiguous", names)
	case !who.knows(resource):
		sayByName(w, "imds-resource", names)
	default:
		now := time.Now()
		lifetime := 24 * time.Hour
		writeJSON(w, http.StatusOK, map[string]string{
			"access_token": p.lab.azure.entraToken(who, resource), "client_id": who.ClientID, "token_type": "Bearer",
			"expires_in": strconv.Itoa(int(lifetime.Seconds())), "ext_expires_in": strconv.Itoa(int(lifetime.Seconds())),
			"expires_on": strconv.FormatInt(now.Add(lifetime).Unix(), 10), "not_before": strconv.FormatInt(now.Unix(), 10),
			"resource": request.URL.Query().Get("resource"),
		})
	}
}

// nodeIdentities are the identities of the node that a question is about. One
// that names nobody is about the node's own, or else about the only other one;
// here it is about those of the case that runs alone. A client id that is a
// resource id is the id of nobody.
func (l *lab) nodeIdentities(parameter func(string) string, alone string) []*identity {
	resourceID := parameter("msi_res_id") + parameter("mi_res_id")
	var found []*identity
	for _, who := range l.azure.identities {
		switch {
		case !who.Node:
		case parameter("client_id") != "":
			if who.ClientID == parameter("client_id") {
				return []*identity{who}
			}
		case resourceID != "":
			if strings.EqualFold(who.ResourceID, resourceID) {
				return []*identity{who}
			}
		case who.Case != alone:
		case who.System:
			return []*identity{who}
		default:
			found = append(found, who)
		}
	}
	return found
}
