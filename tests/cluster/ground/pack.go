package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// packImage packs a root file system into an archive, and takes from the last
// stage of a Dockerfile how it is to be run: so the image of the tests is the
// one that `docker build` makes.
func packImage(dockerfile, rootfs, archive, name string) error {
	content, err := os.ReadFile(dockerfile)
	if err != nil {
		return err
	}
	how, err := lastStage(string(content))
	if err != nil {
		return fmt.Errorf("%s: %w", dockerfile, err)
	}
	layer, err := layerOf(rootfs)
	if err != nil {
		return err
	}
	packed, err := newImage(layer, how)
	if err != nil {
		return err
	}
	file, err := os.Create(archive)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := packed.writeArchive(file, fullName(name)); err != nil {
		return err
	}
	return file.Close()
}

// lastStage reads the settings of a Dockerfile's last stage. It knows the
// instructions that ours has, and refuses others rather than lose them.
func lastStage(dockerfile string) (settings, error) {
	var how settings
	joined := strings.ReplaceAll(dockerfile, "\\\n", " ")
	stage := ""
	for line := range strings.Lines(joined) {
		instruction, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		value = strings.TrimSpace(value)
		if instruction == "FROM" {
			stage, how = value, settings{}
			continue
		}
		if stage != "scratch" || instruction == "" || strings.HasPrefix(instruction, "#") {
			continue
		}
		var err error
		switch instruction {
		case "COPY": // the root file system
		case "USER":
			how.User = value
		case "ENTRYPOINT":
			err = json.Unmarshal([]byte(value), &how.Entrypoint)
		case "CMD":
			err = json.Unmarshal([]byte(value), &how.Cmd)
		case "LABEL":
			how.Labels, err = parseLabels(value)
		default:
			err = fmt.Errorf("cannot pack what the instruction says")
		}
		if err != nil {
			return how, fmt.Errorf("%s: %w", instruction, err)
		}
	}
	if stage != "scratch" {
		return how, fmt.Errorf("the last stage is not FROM scratch")
	}
	return how, nil
}

// parseLabels reads KEY="VALUE" pairs.
func parseLabels(text string) (map[string]string, error) {
	labels := map[string]string{}
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		key, rest, ok := strings.Cut(text, `="`)
		value, after, closed := strings.Cut(rest, `"`)
		if !ok || !closed {
			return nil, fmt.Errorf("want KEY=\"VALUE\" at %q", text)
		}
		labels[key], text = value, after
	}
	return labels, nil
}

// splitTag splits REPOSITORY:TAG.
func splitTag(name string) (repository, tag string) {
	repository, tag, _ = strings.Cut(name, ":")
	return repository, tag
}

// fullName is the name under which the kubelet looks for an image.
func fullName(name string) string {
	first, _, nested := strings.Cut(name, "/")
	switch {
	case !nested:
		return "docker.io/library/" + name
	case strings.ContainsAny(first, ".:") || first == "localhost":
		return name
	}
	return "docker.io/" + name
}
