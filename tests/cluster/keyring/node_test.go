package keyring

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"

	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/credentialprovider"
	"k8s.io/kubernetes/pkg/credentialprovider/plugin"
)

const (
	// How many providers are configured. The kubelet's package registers them once and for all.
	providersMax = 30
	// How many images are looked up with them.
	nodeCases = 60
	protocol  = "credentialprovider.kubelet.k8s.io/v1"
)

// What may be wrong with an answer of a provider, as another field or another value.
var answerFaults = []string{
	`"cacheKeyType":"Host"`, `"cacheKeyType":""`, `"cacheDuration":"1"`, `"cacheDuration":""`, `"cacheDuration":5`,
	`"unknown":1`, `"Auth":{}`, `"auth":[]`, `"kind":"CredentialProviderRequest"`, `"kind":""`,
	`"apiVersion":"credentialprovider.kubelet.k8s.io/v1beta1"`, `"apiVersion":"v1"`, `"metadata":{}`,
	`"auth":{"reg.test":{"username":"u","password":1}}`, `"auth":{"reg.test":{"auth":"dTpw"}}`, `"auth":"x"`,
}

// TestTheNodeAnswersAsTheKubelet compares the credentials of a node's files and providers, in
// their order, with those that the kubelet's packages find in the same files and with the same
// programs.
func TestTheNodeAnswersAsTheKubelet(t *testing.T) {
	klog.SetSlogLogger(slog.New(slog.DiscardHandler))
	g := newGenerator(*seed)
	images := make([]string, 0, nodeCases)
	for len(images) < nodeCases {
		if image := one(g, g.image(), g.hostileImage(), one(g, plainImages...)); repositoryIsGood(image) {
			images = append(images, image)
		}
	}
	directory := t.TempDir()
	programs := filepath.Join(directory, "programs")
	configuration := filepath.Join(directory, "providers.json")
	writeProviders(t, g, images, programs, configuration)
	if err := plugin.RegisterCredentialProviderPlugins(configuration, programs, nil, nil); err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, image := range images {
		root := t.TempDir()
		document, _ := json.Marshal(map[string]any{"auths": g.distinct("f", images)})
		file := filepath.Join(root, "config.json")
		if g.chance(30) {
			document, _ = json.Marshal(g.distinct("f", images))
			file = filepath.Join(root, ".dockercfg")
		}
		if g.chance(20) {
			document = g.damage(document)
		}
		if err := os.WriteFile(file, document, 0o600); err != nil {
			t.Fatal(err)
		}
		credentialprovider.SetPreferredDockercfgPath(root)
		expected := ofKubelet(image)
		got := ofProgram(t, image, file, configuration, programs)
		found += len(expected)
		if !reflect.DeepEqual(expected, got) {
			t.Errorf("%q with %s %.2000q\nthe kubelet: %v\nregistrycheck: %v", image, file, document, expected, got)
		}
	}
	t.Logf("%d images, %d credentials", len(images), found)
	if found < nodeCases/2 {
		t.Errorf("only %d credentials for %d images, so they say little", found, len(images))
	}
}

var plainImages = []string{"reg.test/app", "reg.test:5000/team/app", "busybox", "eu.prod.example.test/app", "localhost/app"}

func repositoryIsGood(image string) bool {
	_, err := repositoryOf(image)
	return err == nil && image[0] != '-'
}

// writeProviders makes providers of which most are for some of the images.
func writeProviders(t *testing.T, g generator, images []string, programs, configuration string) {
	t.Helper()
	if err := os.Mkdir(programs, 0o700); err != nil {
		t.Fatal(err)
	}
	cat, err := exec.LookPath("cat")
	if err != nil {
		t.Fatal(err)
	}
	var providers []map[string]any
	for number := range providersMax {
		name := fmt.Sprintf("provider-%d", number)
		if err := os.Symlink(cat, filepath.Join(programs, name)); err != nil {
			t.Fatal(err)
		}
		var patterns []string
		for len(patterns) < 1+g.IntN(3) {
			image := one(g, images...)
			pattern := one(g, g.nameFor(image), g.nameFor(image), g.hostileName(image), "*.*", "*")
			if _, err := credentialprovider.ParseSchemelessURL(pattern); err == nil {
				patterns = append(patterns, pattern)
			}
		}
		answer := filepath.Join(programs, name+".json")
		if err := os.WriteFile(answer, g.answer(number, images), 0o600); err != nil {
			t.Fatal(err)
		}
		providers = append(providers, map[string]any{
			"name": name, "matchImages": patterns, "defaultCacheDuration": "0s", "apiVersion": protocol, "args": []string{answer},
		})
	}
	content, err := json.Marshal(map[string]any{
		"apiVersion": "kubelet.config.k8s.io/v1", "kind": "CredentialProviderConfig", "providers": providers,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(configuration, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// distinct makes entries with keys of their own, for the kubelet orders equal ones at random.
func (g generator) distinct(prefix string, images []string) map[string]any {
	entries := map[string]any{}
	seen := map[string]bool{}
	for place := range 1 + g.IntN(4) {
		name := g.nameFor(one(g, images...))
		if key := keyOf(name); !seen[key] {
			seen[key] = true
			password := base64.StdEncoding.EncodeToString([]byte{byte(place)})
			entries[name] = map[string]string{"username": fmt.Sprintf("%s-%d", prefix, place), "password": password}
		}
	}
	return entries
}

// answer makes what a provider answers, sometimes with a fault.
func (g generator) answer(number int, images []string) []byte {
	entries := g.distinct(fmt.Sprintf("p%d", number), images)
	auth, _ := json.Marshal(entries)
	fields := map[string]string{
		"apiVersion": `"` + protocol + `"`, "kind": `"CredentialProviderResponse"`, "auth": string(auth),
		"cacheKeyType": `"` + one(g, "Image", "Registry", "Global") + `"`,
	}
	text := ""
	for _, name := range []string{"apiVersion", "kind", "cacheKeyType", "auth"} {
		text += `,"` + name + `":` + fields[name]
	}
	text = "{" + text[1:]
	if g.chance(20) {
		text += `,"cacheDuration":` + one(g, `"0"`, `"1h30m"`, "null", `"1.5s"`)
	}
	if g.chance(15) {
		text += "," + one(g, answerFaults...)
	}
	return []byte(text + "}" + one(g, "", "\n"))
}

// ofKubelet looks up as the kubelet does without pull secrets: its files, then its providers.
func ofKubelet(image string) []credential {
	repository, err := repositoryOf(image)
	if err != nil {
		return nil
	}
	keyring := credentialprovider.UnionDockerKeyring{
		credentialprovider.NewDefaultDockerKeyring(),
		plugin.NewExternalCredentialProviderDockerKeyring("", "", "", ""),
	}
	found, _ := keyring.Lookup(repository)
	credentials := []credential{}
	for _, one := range found {
		digest := sha256.Sum256([]byte(one.Password))
		credentials = append(credentials, credential{Username: one.Username, PasswordSha256: hex.EncodeToString(digest[:])})
	}
	return credentials
}

func ofProgram(t *testing.T, image, file, configuration, programs string) []credential {
	t.Helper()
	command := exec.Command(os.Getenv("REGISTRYCHECK_BINARY"), "credentials", image, "-o", "json", "--node-config", file,
		"--credential-provider-config", configuration, "--credential-provider-bin-dir", programs)
	command.Stderr = os.Stderr
	output, err := command.Output()
	if err != nil {
		t.Fatalf("%q: %v", image, err)
	}
	var answer struct {
		Credentials []credential `json:"credentials"`
	}
	if err := json.Unmarshal(output, &answer); err != nil {
		t.Fatal(err)
	}
	credentials := []credential{}
	for _, one := range answer.Credentials {
		credentials = append(credentials, credential{Username: one.Username, PasswordSha256: one.PasswordSha256})
	}
	return credentials
}
