package main

import (
	"archive/tar"
	"bytes"
	"crypto/tls"
	"fmt"
	"os"
	"strings"
	"sync"
)

// contentStore makes each image when it is first asked for.
type contentStore struct {
	mutex   sync.Mutex
	made    map[string]*made
	busybox []byte
}

// made is what one tag leads to.
type made struct {
	top      blob            // what the tag names
	blobs    map[string]blob // by digest, with the manifests beneath top
	config   string          // the digest of its configuration
	children map[string]bool // the digests that are manifests
	err      error
}

// find looks for what a request wants; kind is config or layer for a blob.
func (p *play) find(wanted asked) (content *blob, kind string) {
	for name, what := range p.host.Images {
		repository, tag := splitTag(name)
		if repository != wanted.repository {
			continue
		}
		image := p.lab.content.image(p.host.Case+"/"+name, what)
		if image.err != nil {
			continue
		}
		if wanted.kind == "manifest" && wanted.reference == tag {
			return &image.top, "manifest"
		}
		found, ok := image.blobs[wanted.reference]
		switch {
		case !ok:
		case wanted.kind == "manifest" && image.children[wanted.reference]:
			return &found, "manifest"
		case wanted.kind == "blob" && wanted.reference == image.config:
			return &found, "config"
		case wanted.kind == "blob":
			return &found, "layer"
		}
		if wanted.kind == "blob" && !ok && what == "missing-layer" {
			kind = "layer"
		}
	}
	return nil, kind
}

func (p *play) holds(repository string) bool {
	for name := range p.host.Images {
		if held, _ := splitTag(name); held == repository {
			return true
		}
	}
	return false
}

func (s *contentStore) image(name, what string) *made {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	key := name + " " + what
	if known, ok := s.made[key]; ok {
		return known
	}
	if s.made == nil {
		s.made = map[string]*made{}
	}
	image := s.make(name, what)
	s.made[key] = image
	return image
}

const (
	dockerManifestType = "application/vnd.docker.distribution.manifest.v2+json"
	dockerListType     = "application/vnd.docker.distribution.manifest.list.v2+json"
	dockerConfigType   = "application/vnd.docker.container.image.v1+json"
	dockerLayerType    = "application/vnd.docker.image.rootfs.diff.tar"
	schema1Type        = "application/vnd.docker.distribution.manifest.v1+prettyjws"
	helmConfigType     = "application/vnd.cncf.helm.config.v1+json"
	helmLayerType      = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
	plainLayerType     = "application/vnd.oci.image.layer.v1.tar"
)

// make makes an image of a kind:
//
//   - image, docker: a good one, in OCI's or Docker's types;
//   - arm64: a single manifest of another architecture;
//   - index, docker-list: an index with this platform and another;
//   - other-platforms: an index without this platform; windows: only that system;
//   - empty-index; dangling: an index whose manifest is gone;
//   - missing-config, missing-layer;
//   - artifact: a chart; schema1: the manifest of old.
func (s *contentStore) make(name, what string) *made {
	image := &made{blobs: map[string]blob{}, children: map[string]bool{}}
	architecture, system := "amd64", "linux"
	switch what {
	case "arm64", "other-platforms":
		architecture = "arm64"
	case "windows":
		system = "windows"
	}
	layer, err := s.layer(name)
	if err != nil {
		image.err = err
		return image
	}
	types := []string{manifestType, configType, plainLayerType, indexType}
	if strings.HasPrefix(what, "docker") {
		types = []string{dockerManifestType, dockerConfigType, dockerLayerType, dockerListType}
	}
	content := blob{types[2], layer}
	settings := map[string]any{
		"User": "65532:65532", "Entrypoint": []string{"/bin/sleep", "1000000"},
		"Env": []string{"PATH=/bin"}, "StopSignal": "SIGKILL",
		"Labels": map[string]string{"org.opencontainers.image.title": name},
	}
	configuration, err := jsonBlob(types[1], map[string]any{
		"architecture": architecture, "os": system, "config": settings,
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{content.digest()}},
	})
	if what == "artifact" {
		configuration, content = blob{helmConfigType, fmt.Appendf(nil, `{"name":%q,"version":"1.0.0"}`, name)}, blob{helmLayerType, layer}
	}
	if err != nil {
		image.err = err
		return image
	}
	manifest, err := jsonBlob(types[0], map[string]any{
		"schemaVersion": 2, "mediaType": types[0],
		"config": configuration.descriptor(), "layers": []descriptor{content.descriptor()},
	})
	if err != nil {
		image.err = err
		return image
	}
	image.config = configuration.digest()
	if what != "missing-config" {
		image.blobs[configuration.digest()] = configuration
	}
	if what != "missing-layer" {
		image.blobs[content.digest()] = content
	}
	image.top = manifest
	if what == "schema1" {
		image.top = blob{schema1Type, fmt.Appendf(nil, `{"schemaVersion":1,"name":%q,"tag":"v1","architecture":"amd64","fsLayers":[{"blobSum":%q}],"history":[{"v1Compatibility":"{}"}],"signatures":[]}`, name, content.digest())}
	}
	if index := indexOf(what, manifest); index != nil {
		index.mediaType = types[3]
		if what != "dangling" {
			image.children[manifest.digest()] = true
			image.blobs[manifest.digest()] = manifest
		}
		image.top = *index
	}
	image.children[image.top.digest()] = true
	image.blobs[image.top.digest()] = image.top
	return image
}

// indexOf is the index of those kinds that have one.
func indexOf(what string, manifest blob) *blob {
	type platformed struct {
		descriptor
		Platform map[string]string `json:"platform"`
	}
	of := func(system, architecture string, content blob) platformed {
		return platformed{content.descriptor(), map[string]string{"os": system, "architecture": architecture}}
	}
	other := blob{manifest.mediaType, []byte(`{"never":"asked for"}`)}
	manifests := []platformed{}
	switch what {
	case "index", "docker-list", "dangling":
		manifests = append(manifests, of("linux", "arm64", other), of("linux", "amd64", manifest))
	case "other-platforms":
		manifests = append(manifests, of("linux", "arm64", manifest), of("linux", "s390x", other))
	case "windows":
		manifests = append(manifests, of("windows", "amd64", manifest))
	case "empty-index":
	default:
		return nil
	}
	mediaType := indexType
	if what == "docker-list" {
		mediaType = dockerListType
	}
	index, err := jsonBlob(mediaType, map[string]any{"schemaVersion": 2, "mediaType": mediaType, "manifests": manifests})
	if err != nil {
		return nil
	}
	return &index
}

// layer is busybox, and a file that makes it this image's own: the runtime
// does not fetch what it has.
func (s *contentStore) layer(name string) ([]byte, error) {
	if s.busybox == nil {
		content, err := os.ReadFile("/bin/busybox")
		if err != nil {
			return nil, err
		}
		s.busybox = content
	}
	var layer bytes.Buffer
	archive := tar.NewWriter(&layer)
	if err := addFile(archive, "bin/busybox", 0o755, s.busybox); err != nil {
		return nil, err
	}
	link := &tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/sleep", Linkname: "busybox", Mode: 0o777}
	if err := archive.WriteHeader(link); err != nil {
		return nil, err
	}
	if err := addFile(archive, "name", 0o644, []byte(name)); err != nil {
		return nil, err
	}
	err := archive.Close()
	return layer.Bytes(), err
}

// resetAny resets a connection, whatever is around it.
func resetAny(connection interface{ Close() error }) {
	switch connection := connection.(type) {
	case *tls.Conn:
		reset(connection)
	default:
		_ = connection.Close()
	}
}
