package main

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// The Dockerfile and the tests' image must be the same image: the Dockerfile
// takes its files from deploy/image/assemble and names none itself.
func TestDockerfileListsNoFileOfItsOwn(t *testing.T) {
	content, err := os.ReadFile("../../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	dockerfile := string(content)
	if !strings.Contains(dockerfile, "deploy/image/assemble /rootfs ") {
		t.Error("the Dockerfile does not run deploy/image/assemble")
	}
	_, last, _ := strings.Cut(dockerfile, "FROM scratch\n")
	var copies []string
	for line := range strings.Lines(last) {
		if strings.HasPrefix(line, "COPY") || strings.HasPrefix(line, "ADD") {
			copies = append(copies, strings.TrimSpace(line))
		}
	}
	if want := []string{"COPY --from=build /rootfs /"}; !reflect.DeepEqual(copies, want) {
		t.Errorf("the last stage has %q, want %q", copies, want)
	}
	how, err := lastStage(dockerfile)
	if err != nil {
		t.Fatal(err)
	}
	if how.User != "65532:65532" || !reflect.DeepEqual(how.Entrypoint, []string{"/usr/local/bin/registrycheck"}) ||
		!reflect.DeepEqual(how.Cmd, []string{"run"}) || len(how.Labels) == 0 {
		t.Errorf("the last stage says %+v", how)
	}
}

func TestLastStageRefusesWhatItWouldLose(t *testing.T) {
	for _, dockerfile := range []string{
		"FROM debian\n",
		"FROM scratch\nVOLUME /data\n",
		"FROM scratch\nENTRYPOINT program\n",
		"FROM scratch\nLABEL a=b\n",
	} {
		if how, err := lastStage(dockerfile); err == nil {
			t.Errorf("%q was read as %+v", dockerfile, how)
		}
	}
}

func TestFullName(t *testing.T) {
	for name, want := range map[string]string{
		"app:1":                "docker.io/library/app:1",
		"team/app:1":           "docker.io/team/app:1",
		"localhost/app:1":      "localhost/app:1",
		"example.com/app:1":    "example.com/app:1",
		"registry:5000/app:v1": "registry:5000/app:v1",
	} {
		if got := fullName(name); got != want {
			t.Errorf("fullName(%q) = %q, want %q", name, got, want)
		}
	}
}
