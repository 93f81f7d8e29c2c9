package keyring

import (
	"encoding/json"
	"math/rand/v2"
	"strconv"
	"strings"
)

const (
	jsonType   = "kubernetes.io/dockerconfigjson"
	legacyType = "kubernetes.io/dockercfg"
	jsonKey    = ".dockerconfigjson"
	legacyKey  = ".dockercfg"
)

var (
	hex64 = strings.Repeat("0123456789abcdef", 4)

	images = []string{
		"busybox", "acme/tool", "reg.example.test/team/app", "reg.example.test:5000/team/app:1",
		"localhost/app", "localhost:5000/app", "[2001:db8::5]/app", "[2001:db8::5]:5000/app", "F/app",
		"Reg.Test/app", "my_reg.test/a/b", "docker.io/a", "index.docker.io/a/b", "a.b/c", "[::1]:80/x",
		"[1:2]/x", "reg.example.test/a--b__c.d/e", "quay.io/x/y@sha256:" + hex64, "x@sha512:" + hex64 + hex64,
		"x:1@sha384:" + hex64 + hex64[:32], hex64, "reg.example.test/library/v1/x", "x/v2/y", "A/b",
		"reg:443/app", "docker.io/library/busybox", "io/x", "eu.prod.example.test/app",
	}
	imageParts = append(strings.Split("abzAZ09._-:/@[]%* é\n", ""),
		"__", "..", "--", "//", "sha256:", "latest", ":latest", "library/", "localhost", "docker.io", "index.docker.io/")

	names = []string{
		"index.docker.io", "https://index.docker.io/v1/", "docker.io", "https://index.docker.io/v1",
		"reg.example.test", "reg.example.test:5000", "*.example.test", "*.*.test", "r*.example.t*st",
		"reg.example.test/team", "reg.example.test/team/", "https://reg.example.test/v2/team",
		"[2001:db8::5]", "[2001:db8::5]:5000", "[F::1]", "[A-F::1]", "[fe80::1%25eth0]:80", "[::1]:80",
		"localhost", "localhost:5000", "*", "*:5000", "Reg.Test", "my_reg.test", "my_reg.test/a",
		"[::1%25%2525x]", "[::1%25*]:80", "[::ffff:1.2.3.4]", "a.b", "F", "http://u:p@reg.example.test/",
		"reg.example.test?x", "reg.example.test#%41", "reg.example.test/%74eam", "reg.example.test/te%3Fam",
		"reg.example.test/%2574eam", "", "/", "*.io", "quay.io/x", "A", "[1:2]", "[1:2]:5",
		"docker.io/library", "index.docker.io/v1/", "index.docker.io:", "docker.io:", "reg.example.test:",
		"io", "*.docker.io", "eu.prod.example.test", "e*.pro*.example.test",
	}
	nameParts = append(strings.Split("abrt.:/*?[]%#@-_~!$&'()+,;=<>\"\\^`{|} 09FZ\x7f\té\u0080", ""),
		"%25", "%2525", "%3F", "%3f", "%23", "%2f", "%41", "%80", "%ff", "%20", "%5b", "%2A", "/v1/", "/v2/",
		"//", "https://", "http://", "HTTPS://", "::", "::1", "%25eth0", "%25%25", "index.docker.io",
		"docker.io", "1.2.3.4", "ſ", "u:p@", ":443", ":5000")
)

// A generator makes questions by chance, always the same ones from the same seed.
type generator struct {
	*rand.Rand
}

func newGenerator(seed uint64) generator {
	return generator{rand.New(rand.NewPCG(seed, 0))}
}

// question makes one question; what it is hard for depends on its place.
func (g generator) question(place int) question {
	if g.chance(40) {
		return g.hostile(place)
	}
	q := question{ID: strconv.Itoa(place), Secrets: []secret{}}
	switch kind := place % 100; {
	case kind < 40:
		q.Image = g.image()
		for number := range one(g, 1, 1, 1, 2, 3) {
			q.Secrets = append(q.Secrets, g.mixed(number, q.Image))
		}
	case kind < 65:
		q.Image = g.image()
		for number := range 8 {
			user := map[string]any{"username": strconv.Itoa(number)}
			entries := map[string]any{g.nameFor(q.Image): user, g.nameFor(q.Image): user}
			document, _ := json.Marshal(map[string]any{"auths": entries})
			q.Secrets = append(q.Secrets, g.secret(number, jsonType, document))
		}
	case kind < 80:
		q.Image = "reg.test/a"
		document, _ := json.Marshal(map[string]any{"auths": map[string]any{
			"reg.test": map[string]string{"auth": g.auth(), "username": "x"},
		}})
		q.Secrets = append(q.Secrets, g.secret(0, jsonType, document))
	case kind < 92:
		q.Image = "reg.test/a"
		q.Secrets = append(q.Secrets, g.damaged())
	case kind < 99:
		q.Image = g.image()
		for range g.IntN(3) {
			q.Image = g.mutate(q.Image, imageParts)
		}
	default:
		q.Image = "reg.test/a"
		q.Secrets = append(q.Secrets, g.secret(0, jsonType, g.deep()))
	}
	return q
}

// one takes one of several with equal chances.
func one[T any](g generator, options ...T) T {
	return options[g.IntN(len(options))]
}

func (g generator) chance(percent int) bool {
	return g.IntN(100) < percent
}

func (g generator) secret(number int, kind string, document []byte) secret {
	key := jsonKey
	if kind == legacyType {
		key = legacyKey
	}
	return secret{Name: "s" + strconv.Itoa(number), Type: kind, Data: map[string][]byte{key: document}}
}

// mutate changes a text in up to three places.
func (g generator) mutate(text string, parts []string) string {
	runes := []rune(text)
	for range 1 + g.IntN(3) {
		at := g.IntN(len(runes) + 1)
		end := min(at+1, len(runes))
		switch g.IntN(4) {
		case 0:
			runes = splice(runes, at, at, []rune(one(g, parts...)))
		case 1:
			runes = splice(runes, at, end, nil)
		case 2:
			runes = splice(runes, at, end, []rune(one(g, parts...)))
		case 3:
			end = min(at+g.IntN(12), len(runes))
			runes = splice(runes, at, at, runes[at:end])
		}
	}
	return string(runes)
}

// splice puts something into the place of text[start:end].
func splice[T any](text []T, start, end int, something []T) []T {
	spliced := append([]T{}, text[:start]...)
	spliced = append(spliced, something...)
	return append(spliced, text[end:]...)
}

func (g generator) image() string {
	switch image := one(g, images...); {
	case g.chance(55):
		return image
	case g.chance(80):
		return g.mutate(image, imageParts)
	}
	var text strings.Builder
	for range g.IntN(11) {
		text.WriteString(one(g, imageParts...))
	}
	length := one(g, 0, 63, 64, 100, 128, 129, 240, 246, 247, 248, 250, 254, 255, 256)
	return text.String() + strings.Repeat("a", length) + one(g, "", "/a", "_b")
}

// name makes the name of an entry, which may have to do with the image.
func (g generator) name(image string) string {
	switch name := one(g, names...); {
	case g.chance(25):
		return g.nameFor(image)
	case g.chance(55):
		return name
	case g.chance(85):
		return g.mutate(name, nameParts)
	}
	var text strings.Builder
	for range g.IntN(9) {
		text.WriteString(one(g, nameParts...))
	}
	return text.String()
}

// nameFor makes a name that comes near to matching the image.
func (g generator) nameFor(image string) string {
	name, _, _ := strings.Cut(image, "@")
	if repository, err := repositoryOf(image); err == nil {
		name = repository
	}
	for range g.IntN(4) {
		if slash := strings.LastIndex(name, "/"); slash > 0 {
			name = name[:slash]
		}
	}
	host, path, _ := strings.Cut(name, "/")
	if runes := []rune(host); g.chance(35) && len(runes) > 0 {
		start := g.IntN(len(runes))
		end := min(start+g.IntN(5), len(runes))
		host = string(splice(runes, start, end, []rune("*")))
	}
	for range one(g, 0, 0, 0, 1, 2) {
		path = g.escape(path)
	}
	if g.chance(10) {
		path = one(g, "v1/", "v2/", "v3/") + path
	}
	name = host
	if path != "" || g.chance(20) {
		name += "/" + path
	}
	if g.chance(20) {
		name = one(g, "https://", "http://", "HTTP://", "//") + name
	}
	if g.chance(20) {
		name = g.mutate(name, nameParts)
	}
	if g.chance(10) {
		name = one(g, "u%41:p@"+name, name+"#", name+"#%41", name+"#%", strings.Replace(name, "/", "?", 1))
	}
	return name
}

// escape writes some characters as percent escapes.
func (g generator) escape(path string) string {
	var text strings.Builder
	for _, character := range []byte(path) {
		if g.chance(12) {
			text.WriteString("%" + strconv.FormatInt(int64(character)+0x100, 16)[1:])
		} else {
			text.WriteByte(character)
		}
	}
	return text.String()
}
