package main

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// answer is one answer out of the ordinary.
type answer struct {
	// On is what has to be asked for: any, ping, manifest, tag, digest, blob,
	// config, layer, token, exchange or tags.
	On     string `json:"on"`
	Method string `json:"method"` // any where it is empty
	From   string `json:"from"`   // pods or node
	// With is named (a credential is sent), nobody, or a user's name (Basic).
	With string `json:"with"`
	Of   string `json:"of"` // a prefix of the repository
	// Ranged wants a part of a blob to be asked for.
	Ranged bool `json:"ranged"`
	// First is how many times; always where it is 0.
	First int `json:"first"`

	Status  int               `json:"status"` // 200 where it is 0
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
	// Says is an answer of Azure's by name, in place of status and body.
	Says string `json:"says"`
	// Delay comes before whatever else happens.
	Delay int `json:"delayMilliseconds"`
	// End is closed (without a word), reset, or held (nothing is ever said).
	End string `json:"end"`
	// Serve is what was asked for, in this manner: cut:N (reset after that many
	// bytes), empty, short (one byte lacks), other (as long, but other bytes),
	// type:TYPE, no-digest, whole (ignores Range) or plainly.
	Serve string `json:"serve"`

	mutex sync.Mutex
	times int
}

// play answers one host's requests.
type play struct {
	lab  *lab
	host *misbehaving
}

// asked is what a request wants.
type asked struct {
	kind       string // ping, manifest, blob, token, exchange, tags, other
	repository string
	reference  string
}

func parseAsked(path string) asked {
	rest, isAPI := strings.CutPrefix(path, "/v2/")
	switch {
	case path == "/v2/" || path == "/v2":
		return asked{kind: "ping"}
	case path == "/token" || path == "/oauth2/token":
		return asked{kind: "token"}
	case path == "/oauth2/exchange":
		return asked{kind: "exchange"}
	case !isAPI:
		return asked{kind: "other"}
	}
	// A repository may have components of these names: the last one counts.
	manifests, blobs := strings.LastIndex(rest, "/manifests/"), strings.LastIndex(rest, "/blobs/")
	switch {
	case manifests > blobs:
		return asked{"manifest", rest[:manifests], rest[manifests+len("/manifests/"):]}
	case blobs > manifests:
		return asked{"blob", rest[:blobs], rest[blobs+len("/blobs/"):]}
	}
	if repository, ok := strings.CutSuffix(rest, "/tags/list"); ok {
		return asked{kind: "tags", repository: repository}
	}
	return asked{kind: "other"}
}

func (p *play) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	w := &statusRecorder{ResponseWriter: writer, status: http.StatusOK}
	user, _, _ := request.BasicAuth()
	carried := p.lab.azure.carried(request)
	defer func() {
		p.lab.journal.write(entry{
			Host: p.host.host(), Case: p.host.Case, Method: request.Method, Path: request.URL.Path, Status: w.status,
			Agent: request.UserAgent(), User: user, From: vantageOf(request.RemoteAddr), Carried: carried,
		})
	}()
	wanted := parseAsked(request.URL.Path)
	content, kind := p.find(wanted)
	manner := "plainly"
	if odd := p.oddAnswer(request, wanted, kind, user); odd != nil {
		if p.giveOdd(w, request, odd, p.azureNames()) {
			return
		}
		manner = odd.Serve
	}
	if p.host.Azure != nil {
		p.answerAsAzure(w, request, wanted, content, manner)
		return
	}
	if wanted.kind == "token" {
		p.token(w, request)
		return
	}
	if wanted.kind == "other" {
		writeError(w, http.StatusNotFound, "NOT_FOUND", "there is no such page")
		return
	}
	if !p.admit(w, request, wanted.repository) {
		return
	}
	switch wanted.kind {
	case "ping":
		writeJSON(w, http.StatusOK, map[string]any{})
	case "tags":
		p.serveTags(w, wanted.repository)
	default:
		p.serve(w, request, wanted, content, manner)
	}
}

// giveOdd gives an answer out of the ordinary, and says whether that is all:
// one with a manner of serving only begins what was asked for.
func (p *play) giveOdd(w *statusRecorder, request *http.Request, odd *answer, names *strings.Replacer) bool {
	select {
	case <-time.After(time.Duration(odd.Delay) * time.Millisecond):
	case <-request.Context().Done():
		return true
	}
	if odd.End != "" {
		w.status = 0
		p.end(request, odd.End)
		return true
	}
	for name, value := range odd.Headers {
		value = strings.ReplaceAll(value, "{path}", request.URL.Path)
		w.Header().Set(name, value)
	}
	switch {
	case odd.Says != "":
		sayByName(w, odd.Says, names)
	case odd.Serve == "":
		if odd.Status == 0 {
			odd.Status = http.StatusOK
		}
		writeBody(w, odd.Status, "application/json", odd.Body)
	default:
		return false
	}
	return true
}

// writeBody writes a whole answer, of that type unless it has one.
func writeBody(w http.ResponseWriter, status int, mediaType, body string) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", mediaType)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}

// oddAnswer is the first answer out of the ordinary that fits.
func (p *play) oddAnswer(request *http.Request, wanted asked, kind, user string) *answer {
	if len(p.host.Answers) == 0 || p.lab.mended(p.host) {
		return nil
	}
	named := request.Header.Get("Authorization") != ""
	for i := range p.host.Answers {
		a := &p.host.Answers[i]
		names := []string{"any", wanted.kind, kind}
		if wanted.kind == "manifest" && strings.HasPrefix(wanted.reference, "sha256:") {
			names = append(names, "digest")
		} else if wanted.kind == "manifest" {
			names = append(names, "tag")
		}
		fits := slices.Contains(names, a.On) &&
			(a.Method == "" || a.Method == request.Method) &&
			strings.HasPrefix(wanted.repository, a.Of) &&
			(!a.Ranged || request.Header.Get("Range") != "") &&
			(a.From == "" || a.From == vantageOf(request.RemoteAddr)) &&
			(a.With == "" || a.With == "named" && named || a.With == "nobody" && !named || user != "" && a.With == user)
		if fits && a.again() {
			return a
		}
	}
	return nil
}

func (a *answer) again() bool {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.times++
	return a.First == 0 || a.times <= a.First
}

func (p *play) end(request *http.Request, how string) {
	connection := request.Context().Value(connectionKey{}).(interface{ Close() error })
	switch how {
	case "held":
		<-request.Context().Done()
	case "reset":
		resetAny(connection)
	}
	panic(http.ErrAbortHandler) // closes the connection without an answer
}

func (p *play) serveTags(w http.ResponseWriter, repository string) {
	tags := []string{}
	for name := range p.host.Images {
		if held, tag := splitTag(name); held == repository {
			tags = append(tags, tag)
		}
	}
	if len(tags) == 0 {
		writeError(w, http.StatusNotFound, "NAME_UNKNOWN", "repository name not known to registry")
		return
	}
	slices.Sort(tags)
	writeJSON(w, http.StatusOK, map[string]any{"name": repository, "tags": tags})
}

func (p *play) serve(w http.ResponseWriter, request *http.Request, wanted asked, content *blob, manner string) {
	if content == nil {
		code, message := "BLOB_UNKNOWN", "blob unknown to registry"
		if wanted.kind == "manifest" {
			code, message = "MANIFEST_UNKNOWN", "manifest unknown"
			if !p.holds(wanted.repository) {
				code, message = "NAME_UNKNOWN", "repository name not known to registry"
			}
		}
		writeError(w, http.StatusNotFound, code, message)
		return
	}
	mediaType, body, digest := content.mediaType, content.content, content.digest()
	if wanted.kind == "blob" {
		mediaType = "application/octet-stream"
	}
	cut := -1
	verb, argument, _ := strings.Cut(manner, ":")
	switch verb {
	case "cut":
		cut, _ = strconv.Atoi(argument)
	case "empty":
		body = nil
	case "short":
		body = body[:len(body)-1]
	case "other":
		body = slices.Clone(body)
		body[len(body)/2] ^= 0x20
	case "type":
		mediaType = argument
	case "no-digest":
		digest = ""
	}
	if digest != "" {
		w.Header().Set("Docker-Content-Digest", digest)
	}
	w.Header().Set("Content-Type", mediaType)
	status := http.StatusOK
	length := len(body)
	var from, to int
	if n, _ := fmt.Sscanf(request.Header.Get("Range"), "bytes=%d-%d", &from, &to); n > 0 && verb != "whole" && wanted.kind == "blob" && from < length {
		if n == 1 || to >= length {
			to = length - 1
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to, length))
		body, status = body[from:to+1], http.StatusPartialContent
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if request.Method == http.MethodHead {
		return
	}
	if cut >= 0 && cut < len(body) {
		_, _ = w.Write(body[:cut])
		_ = http.NewResponseController(w).Flush()
		p.end(request, "reset")
	}
	_, _ = w.Write(body)
}
