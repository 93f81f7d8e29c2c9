package keyring

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/pkg/credentialprovider"
	"k8s.io/kubernetes/pkg/credentialprovider/secrets"
	"k8s.io/kubernetes/pkg/util/parsers"
)

// How a question can end.
const (
	noImage         = "an invalid image"
	noKeyring       = "no keyring"
	anonymous       = "no credential"
	oneCredential   = "one credential"
	moreCredentials = "more credentials"
)

// An expectation is what the kubelet's packages answer.
type expectation struct {
	id string
	// Empty for an invalid image.
	repository string
	err        error
	// The credentials in order; the order within a group is random.
	groups [][]credential
}

func (e expectation) outcome() string {
	count := 0
	for _, group := range e.groups {
		count += len(group)
	}
	switch {
	case e.repository == "":
		return noImage
	case e.err != nil:
		return noKeyring
	case count == 0:
		return anonymous
	case count == 1:
		return oneCredential
	}
	return moreCredentials
}

// answer asks the kubelet's packages.
func answer(q question) expectation {
	repository, err := repositoryOf(q.Image)
	if err != nil {
		return expectation{id: q.ID, err: err}
	}
	keyring, err := secrets.MakeDockerKeyring(kubernetes(q.Secrets), &credentialprovider.BasicDockerKeyring{})
	if err != nil {
		return expectation{id: q.ID, repository: repository, err: err}
	}
	found, _ := keyring.Lookup(repository)
	expected := expectation{id: q.ID, repository: repository}
	for _, size := range groupSizes(q.Secrets, repository) {
		group := make([]credential, size)
		for place := range group {
			group[place] = shown(found[place])
		}
		expected.groups = append(expected.groups, group)
		found = found[size:]
	}
	if len(found) != 0 {
		panic(fmt.Sprintf("%d credentials are in no group: %s", len(found), q))
	}
	return expected
}

// repositoryOf does as EnsureImageExists and applyDefaultImageTag
// (pkg/kubelet/images/image_manager.go), which cannot be called from here.
func repositoryOf(image string) (string, error) {
	_, tag, digest, err := parsers.ParseImageName(image)
	if err != nil {
		return "", err
	}
	if len(digest) == 0 && len(tag) > 0 && !strings.HasSuffix(image, ":"+tag) {
		image = image + ":" + tag
	}
	repository, _, _, err := parsers.ParseImageName(image)
	return repository, err
}

func kubernetes(from []secret) []v1.Secret {
	var converted []v1.Secret
	for _, one := range from {
		converted = append(converted, v1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: one.Name},
			Type:       v1.SecretType(one.Type),
			Data:       one.Data,
		})
	}
	return converted
}

func shown(config credentialprovider.TrackedAuthConfig) credential {
	digest := sha256.Sum256([]byte(config.Password))
	return credential{
		// As encoding/json writes bytes that are no UTF-8.
		Username:       string([]rune(config.Username)),
		PasswordSha256: hex.EncodeToString(digest[:]),
		Secret:         config.Source.Secret.Name,
	}
}

// groupSizes says how many of the credentials for a repository, one after the other, have the
// same key and come from the same secret. Nothing in a credential tells its key, so the same
// keyring is built with the key in the place of each e-mail address.
func groupSizes(from []secret, repository string) []int {
	keyring := &credentialprovider.BasicDockerKeyring{}
	for place, one := range from {
		marked := credentialprovider.DockerConfig{}
		for name, entry := range entriesOf(one) {
			entry.Email = fmt.Sprintf("%d %s", place, keyOf(name))
			marked[name] = entry
		}
		keyring.Add(nil, marked)
	}
	found, _ := keyring.Lookup(repository)
	var sizes []int
	for place, config := range found {
		if place == 0 || found[place-1].Email != config.Email {
			sizes = append(sizes, 0)
		}
		sizes[len(sizes)-1]++
	}
	return sizes
}

func entriesOf(from secret) credentialprovider.DockerConfig {
	var config credentialprovider.DockerConfigJSON
	var err error
	switch v1.SecretType(from.Type) {
	case v1.SecretTypeDockerConfigJson:
		if document := from.Data[v1.DockerConfigJsonKey]; len(document) > 0 {
			err = json.Unmarshal(document, &config)
		}
	case v1.SecretTypeDockercfg:
		if document := from.Data[v1.DockerConfigKey]; len(document) > 0 {
			err = json.Unmarshal(document, &config.Auths)
		}
	}
	if err != nil {
		panic(err)
	}
	return config.Auths
}

// keyOf reads the key that the kubelet gives to the name of an entry, "" for a name that it
// drops.
func keyOf(name string) string {
	keyring := &credentialprovider.BasicDockerKeyring{}
	keyring.Add(nil, credentialprovider.DockerConfig{name: {}})
	index := reflect.ValueOf(keyring).Elem().FieldByName("index")
	if index.Len() == 0 {
		return ""
	}
	return index.Index(0).String()
}

// What is shown of a case in which the two differ.

func (q question) String() string {
	text := fmt.Sprintf("image %q", q.Image)
	for _, one := range q.Secrets {
		for key, document := range one.Data {
			text += fmt.Sprintf("\nsecret %s (%s) %s: %.2000q", one.Name, one.Type, key, document)
		}
	}
	return text
}

func (r reply) String() string {
	text, _ := json.Marshal(r)
	return string(text)
}

func (e expectation) String() string {
	if e.err != nil {
		return fmt.Sprintf("%q, error %q", e.repository, e.err.Error())
	}
	return fmt.Sprintf("%q, %+v", e.repository, e.groups)
}
