package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The images that the node has from the start. Both are busybox asleep.
const (
	pauseImage = "localhost/pause:1"
	localImage = "localhost/tool:1"
)

const (
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	indexType    = "application/vnd.oci.image.index.v1+json"
	configType   = "application/vnd.oci.image.config.v1+json"
	layerType    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// blob is content with its name.
type blob struct {
	mediaType string
	content   []byte
}

func (b blob) digest() string {
	sum := sha256.Sum256(b.content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// descriptor is how the OCI image specification refers to content.
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

func (b blob) descriptor() descriptor {
	return descriptor{MediaType: b.mediaType, Digest: b.digest(), Size: len(b.content)}
}

// settings are what an image says of how to run it.
type settings struct {
	User       string            `json:"User,omitempty"`
	Entrypoint []string          `json:"Entrypoint,omitempty"`
	Cmd        []string          `json:"Cmd,omitempty"`
	Env        []string          `json:"Env,omitempty"`
	Labels     map[string]string `json:"Labels,omitempty"`
	StopSignal string            `json:"StopSignal,omitempty"`
}

// image is an OCI image of one layer.
type image struct{ manifest, config, layer blob }

// newImage makes an image of a layer, given as an uncompressed tar.
func newImage(layer []byte, how settings) (*image, error) {
	var compressed bytes.Buffer
	writer, err := gzip.NewWriterLevel(&compressed, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := writer.Write(layer); err != nil {
		return nil, err
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	made := &image{layer: blob{layerType, compressed.Bytes()}}
	made.config, err = jsonBlob(configType, map[string]any{
		"architecture": "amd64",
		"os":           "linux",
		"config":       how,
		"rootfs":       map[string]any{"type": "layers", "diff_ids": []string{blob{content: layer}.digest()}},
	})
	if err != nil {
		return nil, err
	}
	made.manifest, err = jsonBlob(manifestType, map[string]any{
		"schemaVersion": 2,
		"mediaType":     manifestType,
		"config":        made.config.descriptor(),
		"layers":        []descriptor{made.layer.descriptor()},
	})
	return made, err
}

func jsonBlob(mediaType string, value any) (blob, error) {
	content, err := json.Marshal(value)
	return blob{mediaType, content}, err
}

// writeArchive writes the image under that name as an OCI layout in a tar,
// which `ctr images import` reads.
func (i *image) writeArchive(to io.Writer, name string) error {
	named := i.manifest.descriptor()
	named.Annotations = map[string]string{"io.containerd.image.name": name}
	index, err := jsonBlob(indexType, map[string]any{"schemaVersion": 2, "mediaType": indexType, "manifests": []descriptor{named}})
	if err != nil {
		return err
	}
	files := []struct {
		name    string
		content []byte
	}{
		{"oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)},
		{"index.json", index.content},
		{blobPath(i.manifest), i.manifest.content},
		{blobPath(i.config), i.config.content},
		{blobPath(i.layer), i.layer.content},
	}
	archive := tar.NewWriter(to)
	for _, file := range files {
		if err := addFile(archive, file.name, 0o644, file.content); err != nil {
			return err
		}
	}
	return archive.Close()
}

func blobPath(b blob) string {
	return "blobs/" + strings.Replace(b.digest(), ":", "/", 1)
}

// addFile adds a file that belongs to root and has no date, so that the same
// content makes the same image.
func addFile(archive *tar.Writer, name string, mode int64, content []byte) error {
	header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(content))}
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	_, err := archive.Write(content)
	return err
}

// busyboxImage is what all registries have: a few hundred commands in one
// static file, asleep, as a user who is not root. It has nothing to save, so
// it is stopped by SIGKILL and pods end at once. The title makes images
// differ: the kubelet remembers by an image's ID who may use it.
func busyboxImage(title string) (*image, error) {
	content, err := os.ReadFile("/bin/busybox")
	if err != nil {
		return nil, err
	}
	var layer bytes.Buffer
	archive := tar.NewWriter(&layer)
	if err := addFile(archive, "bin/busybox", 0o755, content); err != nil {
		return nil, err
	}
	for _, applet := range []string{"sh", "sleep", "true", "false", "cat", "echo", "ls", "env", "nc", "nslookup", "wget"} {
		header := &tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + applet, Linkname: "busybox", Mode: 0o777}
		if err := archive.WriteHeader(header); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	return newImage(layer.Bytes(), settings{
		User:       "65532:65532",
		Entrypoint: []string{"/bin/sleep", "1000000"},
		Env:        []string{"PATH=/bin"},
		Labels:     map[string]string{"org.opencontainers.image.title": title},
		StopSignal: "SIGKILL",
	})
}

// layerOf is a layer with the content of a directory.
func layerOf(root string) ([]byte, error) {
	var layer bytes.Buffer
	archive := tar.NewWriter(&layer)
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		mode := int64(info.Mode().Perm())
		if entry.IsDir() {
			return archive.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: mode})
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return addFile(archive, name, mode, content)
	})
	// The archive's end comes with Close.
	err = errors.Join(err, archive.Close())
	return layer.Bytes(), err
}
