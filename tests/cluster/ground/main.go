// Command ground runs a command inside a real one-node Kubernetes, with image
// registries of every temper beside it, and leaves nothing behind.
//
// Three processes share the work, and the file list follows them:
//
//   - up (lifetime.go) stays outside, owns the terminal and the end of it all;
//   - init (inside.go) is the first process of the new namespaces: the kernel
//     ends every other process in there with it;
//   - inside (inside.go, and everything that it starts) sets the ground up and
//     runs the command.
//
// A fourth, the janitor (janitor.go), outlives a kill -9 of the others and
// removes the few things that namespaces do not take with them.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

const usage = `usage:
  ground up --kubernetes FILE [-- COMMAND...]   run COMMAND (or a shell) in a fresh ground
inside a ground:
  ground load-image TAR                         import an image into the node
  ground fault drop ADDRESS                     drop all packets to that address
  ground fault reset                            drop no more than at the start
  ground misbehave FILE                         play the hosts of that file, until killed
  ground azure FILE                             play Azure as that file says, until killed
anywhere:
  ground image DOCKERFILE ROOTFS TAR NAME       pack ROOTFS as the Dockerfile's last stage says`

func main() {
	if filepath.Base(os.Args[0]) == providerName {
		os.Exit(provideCredentials(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "ground:", err)
		if code == 0 {
			code = 1
		}
	}
	os.Exit(code)
}

var errUsage = errors.New(usage)

func run(args []string) (int, error) {
	if len(args) == 0 {
		return 2, errUsage
	}
	command, args := args[0], args[1:]
	switch {
	case command == "up":
		flags := flag.NewFlagSet("up", flag.ExitOnError)
		kubernetes := flags.String("kubernetes", "", "the multi-call kubernetes `FILE`")
		_ = flags.Parse(args) // ExitOnError
		if *kubernetes == "" {
			return 2, errors.New("say where the kubernetes command is: --kubernetes FILE (tests/cluster/up builds it)")
		}
		return up(*kubernetes, flags.Args())
	case command == initCommand:
		return runInit(args)
	case command == insideCommand:
		return runInside(args)
	case command == janitorCommand && len(args) == 2:
		return 0, runJanitor(args[0], args[1])
	case command == "load-image" && len(args) == 1:
		return 0, loadImage(args[0])
	case command == "fault" && len(args) == 2 && args[0] == "drop":
		return 0, dropPackets(args[1])
	case command == "fault" && len(args) == 1 && args[0] == "reset":
		return 0, resetFaults()
	case command == "misbehave" && len(args) == 1:
		return 0, misbehave(args[0])
	case command == "azure" && len(args) == 1:
		return 0, playAzure(args[0])
	case command == "image" && len(args) == 4:
		return 0, packImage(args[0], args[1], args[2], args[3])
	}
	return 2, errUsage
}
