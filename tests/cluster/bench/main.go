// Command bench compares registrycheck with crane on a slow way to a registry, and says how long
// the controller takes to start.
//
//	bench compare REGISTRYCHECK   the table, inside a ground
//	bench start REGISTRYCHECK CRD how long the controller takes to be ready, and its memory
//	bench manifest IMAGE          what `crane manifest` does
//	bench walk IMAGE              manifest of a platform, configuration, and a layer's first byte
//	bench again IMAGE             the same twice; prints how many milliseconds the second time took
//	bench inform KUBECONFIG       what controllers in Go do: all pods in a shared informer
//
// It is a module of its own, so that what it needs is no part of the cluster's build.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 3 && args[0] == "start" {
		return start(args[1], args[2])
	}
	if len(args) != 2 {
		return fmt.Errorf("usage: bench compare REGISTRYCHECK, bench start REGISTRYCHECK CRD, bench manifest|walk|again IMAGE, or bench inform KUBECONFIG")
	}
	switch args[0] {
	case "compare":
		return compare(args[1])
	case "manifest":
		_, err := crane.Manifest(args[1])
		return err
	case "walk":
		puller, err := remote.NewPuller(platform)
		if err != nil {
			return err
		}
		return walk(puller, args[1])
	case "again":
		return walkAgain(args[1])
	case "inform":
		return inform(args[1])
	}
	return fmt.Errorf("no command is called %s", args[0])
}

var platform = remote.WithPlatform(v1.Platform{OS: "linux", Architecture: "amd64"})

// walk reads what a verdict needs, over one pool of connections.
func walk(puller *remote.Puller, image string) error {
	reference, err := name.ParseReference(image)
	if err != nil {
		return err
	}
	description, err := puller.Get(ctx, reference)
	if err != nil {
		return err
	}
	pulled, err := description.Image()
	if err != nil {
		return err
	}
	if _, err := pulled.RawConfigFile(); err != nil {
		return err
	}
	layers, err := pulled.Layers()
	if err != nil {
		return err
	}
	content, err := layers[0].Compressed()
	if err != nil {
		return err
	}
	defer content.Close()
	_, err = content.Read(make([]byte, 1))
	return err
}

// walkAgain walks twice, the second time over the connections of the first.
func walkAgain(image string) error {
	puller, err := remote.NewPuller(platform)
	if err != nil {
		return err
	}
	if err := walk(puller, image); err != nil {
		return err
	}
	began := time.Now()
	if err := walk(puller, image); err != nil {
		return err
	}
	fmt.Println(float64(time.Since(began).Microseconds()) / 1000)
	return nil
}
