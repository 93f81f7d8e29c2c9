package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// words is an answer of Azure's, as somebody saw it.
type words struct {
	status  int
	headers map[string]string
	body    string
}

// azureWords are the answers of registries, their storage and the metadata
// service, by our name for them. Above each stands where it was seen.
var azureWords = map[string]words{
	// https://github.com/Azure/azure-cli/issues/29659
	"authorization": {http.StatusUnauthorized, nil, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required, visit https://aka.ms/acr/authorization for more information."}]}`},
	// https://github.com/Azure/azure-cli/issues/29659, https://github.com/Azure/azure-cli/issues/21083
	"unregistered": {http.StatusUnauthorized, nil, `{"errors":[{"code":"UNAUTHORIZED","message":"Application not registered with AAD."}]}`},
	// https://github.com/Azure/docker-login/issues/46
	"client-secret": {http.StatusUnauthorized, nil, `{"errors":[{"code":"UNAUTHORIZED","message":"Invalid clientid or client secret."}]}`},
	// https://github.com/microsoft/vscode-docker/issues/3780
	"client-guid": {http.StatusUnauthorized, nil, `{"errors":[{"code":"UNAUTHORIZED","message":"aad access token with sp failed client id must be guid"}]}`},
	// https://github.com/Azure/azure-sdk-for-go/blob/main/sdk/containers/azcontainerregistry/TROUBLESHOOTING.md
	"arm-disallowed": {http.StatusUnauthorized, nil, `{"errors":[{"code":"UNAUTHORIZED","message":"arm aad token disallowed"}]}`},
	"permissions":    {http.StatusForbidden, nil, `{"errors":[{"code":"DENIED","message":"retrieving permissions failed"}]}`},
	// https://github.com/docker/build-push-action/issues/1214, https://github.com/Azure/acr/issues/633
	"firewall": {http.StatusForbidden, nil, `{"errors":[{"code":"DENIED","message":"client with IP \u002740.71.10.20\u0027 is not allowed access. Refer https://aka.ms/acr/firewall to grant access."}]}`},
	// https://github.com/johnsonshi/aks-acr-chaos-studio/blob/main/reports/a5-private-endpoint.md has a 403
	// of which no client shows more; so has f1-cmk-keyvault.md, of a key that cannot be read.
	"forbidden": {http.StatusForbidden, nil, `{"errors":[{"code":"DENIED","message":"access forbidden"}]}`},
	// https://github.com/Azure/AKS/issues/1400,
	// https://learn.microsoft.com/azure/container-registry/container-registry-skus (429 has a Retry-After)
	"throttled": {http.StatusTooManyRequests, map[string]string{"Retry-After": "30"}, `{"errors":[{"code":"TOOMANYREQUESTS","message":"Too many requests. Please visit https://aka.ms/acr/skus#sku-feature-matrix to view limits of all service tiers."}]}`},

	// https://learn.microsoft.com/azure/container-registry/container-registry-faq
	// (a redirect followed with the Authorization header)
	"storage-header": {http.StatusBadRequest, map[string]string{"Content-Type": "application/xml"}, `<?xml version="1.0" encoding="utf-8"?><Error><Code>InvalidAuthenticationInfo</Code><Message>Authentication information is not given in the correct format. Check the value of Authorization header.` + "\n" + `RequestId:{id}</Message></Error>`},
	// https://github.com/Azure/AKS/issues/1383; the service begins with a byte order mark.
	"storage-firewall": {http.StatusForbidden, map[string]string{"Content-Type": "application/xml"}, "\ufeff" + `<?xml version="1.0" encoding="utf-8"?><Error><Code>AuthorizationFailure</Code><Message>This request is not authorized to perform this operation.` + "\n" + `RequestId:{id}</Message></Error>`},
	// https://learn.microsoft.com/troubleshoot/azure/azure-storage/blobs/authentication/storage-troubleshoot-403-errors
	"storage-signature": {http.StatusForbidden, map[string]string{"Content-Type": "application/xml"}, "\ufeff" + `<?xml version="1.0" encoding="utf-8"?><Error><Code>AuthenticationFailed</Code><Message>Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including the signature.` + "\n" + `RequestId:{id}</Message></Error>`},

	// https://github.com/MicrosoftDocs/entra-docs/blob/main/docs/identity/managed-identities-azure-resources/how-to-use-vm-token.md
	// (error handling; statuses that are worth another attempt)
	"imds-header":      {http.StatusBadRequest, nil, `{"error":"bad_request_102","error_description":"Required metadata header not specified"}`},
	"imds-forwarded":   {http.StatusBadRequest, nil, `{"error":"bad_request_103","error_description":"X-Forwarded-For header is not allowed"}`},
	"imds-parameter":   {http.StatusBadRequest, nil, `{"error":"invalid_request","error_description":"Required query variable 'resource' is missing"}`},
	"imds-identity":    {http.StatusBadRequest, nil, `{"error":"invalid_request","error_description":"Identity not found"}`},
	"imds-not-found":   {http.StatusNotFound, nil, `{"error":"not_found","error_description":"IMDS endpoint is updating"}`},
	"imds-upgrading":   {http.StatusGone, nil, `{"error":"gone","error_description":"IMDS is going through updates"}`},
	"imds-throttled":   {http.StatusTooManyRequests, map[string]string{"Retry-After": "2"}, `{"error":"too_many_requests","error_description":"Too many requests"}`},
	"imds-unavailable": {http.StatusInternalServerError, nil, `{"error":"unknown","error_description":"Failed to retrieve token from the Active directory. For details see logs in <file path>"}`},
	// https://github.com/Hexadite/acs-keyvault-agent/pull/43
	"imds-ambiguous": {http.StatusBadRequest, nil, `{"error":"invalid_request","error_description":"Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request"}`},
	// https://github.com/Azure/azure-cli/issues/19556
	"imds-resource": {http.StatusBadRequest, nil, `{"error":"invalid_resource","error_description":"AADSTS500011: The resource principal named {resource} was not found in the tenant named {tenant}. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant.\r\nTrace ID: {id}\r\nCorrelation ID: {id}\r\nTimestamp: 2026-08-20 10:20:30Z"}`},
}

// refusal is an error of Entra ID.
type refusal struct {
	status int
	kind   string // RFC 6749 and its extensions
	text   string
}

// aadsts are the refusals of Entra ID by their code. Where none other stands
// above it, the sentence is that of the list of codes,
// https://github.com/MicrosoftDocs/entra-docs/blob/main/docs/identity-platform/reference-error-codes.md.
var aadsts = map[string]refusal{
	"70003": {http.StatusBadRequest, "unsupported_grant_type", "The app requested an unsupported grant type."},
	// https://github.com/Azure/AKS/issues/3109
	"7000215": {http.StatusUnauthorized, "invalid_client", "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{client}'."},
	// https://github.com/liprec/vsts-release-aas/issues/119
	"7000222": {http.StatusUnauthorized, "invalid_client", "The provided client secret keys for app '{client}' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds."},
	"700016":  {http.StatusBadRequest, "unauthorized_client", "Application with identifier '{client}' was not found in the directory '{tenant}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant."},
	"90002":   {http.StatusBadRequest, "invalid_request", "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant."},
	"900432":  {http.StatusBadRequest, "invalid_request", "Confidential Client is not supported in Cross Cloud request."},
	// https://github.com/Azure/azure-cli/issues/33674
	"50001":  {http.StatusBadRequest, "invalid_resource", "The resource is disabled or does not exist. Check your app's code to ensure that you have specified the exact resource URL for the resource you are trying to access. Requested resource: '{resource}'."},
	"500011": {http.StatusBadRequest, "invalid_resource", "The resource principal named {resource} was not found in the tenant named {tenant}. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant."},
	// https://github.com/Azure/azure-workload-identity/issues/616
	"70021": {http.StatusBadRequest, "invalid_request", "No matching federated identity record found for presented assertion. Assertion Audience: 'api://AzureADTokenExchange'. https://docs.microsoft.com/en-us/azure/active-directory/develop/workload-identity-federation"},
	// https://github.com/Azure/azure-workload-identity/issues/1200; the status and kind are those of
	// https://github.com/microsoft/Agents/issues/202
	"700211": {http.StatusUnauthorized, "invalid_client", "No matching federated identity record found for presented assertion issuer '{issuer}'. Check your federated identity credential Subject, Audience and Issuer against the presented assertion. https://learn.microsoft.com/entra/workload-id/workload-identity-federation"},
	"700212": {http.StatusUnauthorized, "invalid_client", "No matching federated identity record found for presented assertion audience. Check your federated identity credential Subject, Audience and Issuer against the presented assertion. https://learn.microsoft.com/entra/workload-id/workload-identity-federation"},
	"700213": {http.StatusUnauthorized, "invalid_client", "No matching federated identity record found for presented assertion subject '{subject}'. Check your federated identity credential Subject, Audience and Issuer against the presented assertion. https://learn.microsoft.com/entra/workload-id/workload-identity-federation"},
	// https://github.com/Azure/login/issues/515
	"7002138": {http.StatusUnauthorized, "invalid_client", "No matching federated identity record found for presented assertion subject '{subject}'. The subject matches with case-insensitive comparison, but not with case-sensitive comparison. Check your federated identity credential Subject, Audience and Issuer against the presented assertion. See documentation at: https://learn.microsoft.com/entra/workload-id/workload-identity-federation. See breaking change notification and remediation at: https://learn.microsoft.com/en-us/entra/identity-platform/reference-breaking-changes#august-2024."},
	"700222":  {http.StatusBadRequest, "invalid_request", "AAD-issued tokens may not be used for federated identity flows."},
	"50013":   {http.StatusUnauthorized, "invalid_client", "Assertion failed signature validation. [Reason - The key was not found., Please visit the Azure Portal, Graph Explorer or directly use MS Graph to see configured keys for app Id '{client}'.]"},
	"90055":   {http.StatusTooManyRequests, "temporarily_unavailable", "There are too many incoming requests. This exception is thrown for blocked tenants."},
}

// sayByName gives an answer by its name: AADSTS and a number for one of Entra ID.
func sayByName(w http.ResponseWriter, name string, names *strings.Replacer) {
	if code, ok := strings.CutPrefix(name, "AADSTS"); ok {
		sayRefusal(w, code, names)
		return
	}
	known, ok := azureWords[name]
	if !ok {
		panic(fmt.Sprintf("Azure says nothing that is called %q", name))
	}
	for header, value := range known.headers {
		w.Header().Set(header, value)
	}
	writeBody(w, known.status, "application/json; charset=utf-8", names.Replace(known.body))
}

// sayRefusal gives an error as the token endpoints of Entra ID do
// (https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow#error-response).
func sayRefusal(w http.ResponseWriter, code string, names *strings.Replacer) {
	known, ok := aadsts[code]
	if !ok {
		panic(fmt.Sprintf("Entra ID says nothing with the code %q", code))
	}
	number, _ := strconv.Atoi(code) // The codes above are numbers.
	stamp := time.Now().UTC().Format("2006-01-02 15:04:05Z")
	trace, correlation := newID(), newID()
	description := fmt.Sprintf("AADSTS%s: %s\r\nTrace ID: %s\r\nCorrelation ID: %s\r\nTimestamp: %s",
		code, names.Replace(known.text), trace, correlation, stamp)
	if known.status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "30")
	}
	body, err := json.Marshal(map[string]any{
		"error": known.kind, "error_description": description, "error_codes": []int{number}, "timestamp": stamp,
		"trace_id": trace, "correlation_id": correlation, "error_uri": "https://login.microsoftonline.com/error?code=" + code,
	})
	if err != nil {
		panic(err) // There is nothing but texts and a number.
	}
	writeBody(w, known.status, "application/json; charset=utf-8", string(body))
}
