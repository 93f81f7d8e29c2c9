// Package keyring compares the answers of `registrycheck credentials --batch` with those of
// the kubelet's own packages, on cases that are made to be hard.
//
//	REGISTRYCHECK_BINARY=… go test ./keyring [-seed N] [-cases N]
//
// Equal seeds give equal cases; seed 0 is a new one each time.
package keyring

import (
	"bufio"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"k8s.io/klog/v2"
)

var (
	seed  = flag.Uint64("seed", 1, "what the cases are made from; 0 for a new one")
	cases = flag.Int("cases", 20000, "how many cases are made")
)

// How many differences are shown.
const shownMax = 10

// A question is a line of the batch.
type question struct {
	ID      string   `json:"id"`
	Image   string   `json:"image"`
	Secrets []secret `json:"secrets"`
}

type secret struct {
	Name string            `json:"name"`
	Type string            `json:"type"`
	Data map[string][]byte `json:"data"`
}

// A reply is a line that the batch answers.
type reply struct {
	ID          string       `json:"id"`
	Error       *string      `json:"error"`
	Repository  *string      `json:"repository"`
	Credentials []credential `json:"credentials"`
}

type credential struct {
	Username       string `json:"username"`
	PasswordSha256 string `json:"passwordSha256"`
	Secret         string `json:"secret"`
}

func TestBatchAnswersAsTheKubelet(t *testing.T) {
	// The kubelet logs each entry that it drops.
	klog.SetSlogLogger(slog.New(slog.DiscardHandler))
	for *seed == 0 {
		*seed = rand.Uint64()
	}
	questions := make([]question, *cases)
	generator := newGenerator(*seed)
	for place := range questions {
		questions[place] = generator.question(place)
	}
	replies := ask(t, questions)
	outcomes := map[string]int{}
	differences := 0
	for place, question := range questions {
		expected := answer(question)
		outcomes[expected.outcome()]++
		problem := compare(expected, replies[place])
		if problem == "" {
			continue
		}
		differences++
		if differences <= shownMax {
			t.Errorf("%s\n%s\nthe kubelet: %s\nregistrycheck: %s", problem, question, expected, replies[place])
		}
	}
	t.Logf("seed %d, %d cases, %d differences; %v", *seed, *cases, differences, outcomes)
	if differences > 0 {
		t.Errorf("%d of %d cases differ; to see them again: go test ./keyring -seed %d -cases %d", differences, *cases, *seed, *cases)
	}
	for _, outcome := range []string{noImage, noKeyring, anonymous, oneCredential, moreCredentials} {
		if *cases >= 1000 && outcomes[outcome] < *cases/100 {
			t.Errorf("only %d of %d cases end with %s, so they say little", outcomes[outcome], *cases, outcome)
		}
	}
}

// ask lets the program answer all questions.
func ask(t *testing.T, questions []question) []reply {
	t.Helper()
	binary := os.Getenv("REGISTRYCHECK_BINARY")
	if binary == "" {
		t.Fatal("REGISTRYCHECK_BINARY is not set: build the program (cargo build) and set it to the program's absolute path")
	}
	command := exec.Command(binary, "credentials", "--batch")
	command.Stderr = os.Stderr
	input, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatalf("cannot run REGISTRYCHECK_BINARY: %v", err)
	}
	written := make(chan error, 1)
	go func() { written <- write(input, questions) }()
	replies := make([]reply, 0, len(questions))
	decoder := json.NewDecoder(output)
	decoder.DisallowUnknownFields()
	for {
		var reply reply
		err := decoder.Decode(&reply)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("answer %d cannot be read: %v", len(replies), err)
		}
		replies = append(replies, reply)
	}
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	if err := command.Wait(); err != nil {
		t.Fatal(err)
	}
	if len(replies) != len(questions) {
		t.Fatalf("%d answers to %d questions", len(replies), len(questions))
	}
	return replies
}

func write(input io.WriteCloser, questions []question) error {
	buffered := bufio.NewWriter(input)
	encoder := json.NewEncoder(buffered)
	encoder.SetEscapeHTML(false)
	for _, question := range questions {
		if err := encoder.Encode(question); err != nil {
			return err
		}
	}
	if err := buffered.Flush(); err != nil {
		return err
	}
	return input.Close()
}

// compare says in what a reply differs from the kubelet's answer, if it does.
func compare(expected expectation, got reply) string {
	switch {
	case got.ID != expected.id:
		return "another id"
	case (expected.repository == "") != (got.Repository == nil):
		return "one of the two takes the image for invalid"
	case got.Repository != nil && *got.Repository != expected.repository:
		return "another repository"
	case (expected.err == nil) != (got.Error == nil):
		return "one of the two has an error"
	case expected.err != nil && !quotes(*got.Error, expected.err.Error()):
		return "the kubelet's error is quoted wrongly"
	case got.Credentials == nil:
		return "no list of credentials"
	case !sameCredentials(expected.groups, got.Credentials):
		return "other credentials, or another order"
	}
	return ""
}

// quotes says whether an error repeats the kubelet's, where that is a text by which people
// search.
func quotes(text, kubelet string) bool {
	for _, known := range []string{"illegal base64 data at input byte ", "unable to parse auth field", "unexpected end of JSON input"} {
		if strings.HasPrefix(kubelet, known) {
			return strings.Contains(text, `"`+kubelet+`"`)
		}
	}
	return true
}

// sameCredentials compares group by group. Within a group the kubelet's order is random.
func sameCredentials(groups [][]credential, got []credential) bool {
	for _, group := range groups {
		if len(got) < len(group) || !reflect.DeepEqual(counted(group), counted(got[:len(group)])) {
			return false
		}
		got = got[len(group):]
	}
	return len(got) == 0
}

func counted(credentials []credential) map[credential]int {
	counts := map[credential]int{}
	for _, credential := range credentials {
		counts[credential]++
	}
	return counts
}
