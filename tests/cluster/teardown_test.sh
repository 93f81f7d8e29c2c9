#!/usr/bin/env bash
# Is everything gone when a ground ends, however it ends? Four grounds at once,
# each with a running pod, each ended in its own way.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
"$here/up" --prepare
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What runs in each ground: it makes a pod, and writes down by what the ground
# can be recognised from outside.
cat >"$work/inside" <<'INSIDE'
set -e
kubectl run sleeper --image=localhost/tool:1 --image-pull-policy=Never >/dev/null
kubectl wait --for=condition=Ready pod/sleeper --timeout=60s >/dev/null
[ -n "$(find /sys/fs/cgroup -maxdepth 2 -name "$(basename "$REGISTRYCHECK_GROUND")")" ]
echo "$REGISTRYCHECK_GROUND $(readlink /proc/self/ns/pid)" >"$1.new"
mv "$1.new" "$1"
[ -z "$2" ] || exit "$2"
sleep 1000
INSIDE

start() { # NAME [EXIT CODE] starts a ground in the background; its process is $!
  "$here/up" -- sh "$work/inside" "$work/$1" "${2:-}" >"$work/$1.log" 2>&1 &
}

started() { # NAME waits until it is up
  for _ in $(seq 600); do
    [[ -e $work/$1 ]] && return
    sleep 0.1
  done
  echo "FAIL  $1: not up in 60 s:"
  cat "$work/$1.log"
  exit 1
}

processes_of() { # PID-NAMESPACE
  local link
  for link in /proc/[0-9]*/ns/pid; do
    [[ $(readlink "$link" 2>/dev/null) != "$1" ]] || echo "$link"
  done
}

failures=0
gone() { # NAME checks that nothing is left, which after a kill may take a moment
  local state namespace left
  read -r state namespace <"$work/$1"
  for _ in $(seq 50); do
    left=$(
      processes_of "$namespace"
      [[ ! -e $state ]] || echo "$state"
      find /sys/fs/cgroup -name "$(basename "$state")"
      pgrep -f "janitor $state" || true
    )
    [[ -z $left ]] && { echo "ok    $1: nothing is left"; return; }
    sleep 0.1
  done
  echo "FAIL  $1: left after 5 s:" "$left"
  failures=$((failures + 1))
}

expect() { # NAME WANTED GOT
  [[ $2 == "$3" ]] && return
  echo "FAIL  $1: exit code $3 instead of $2"
  failures=$((failures + 1))
}

start exit 7
exiting=$!
start kill
killed=$!
start interrupt
interrupted=$!
# A parent such as make, which is killed while the ground goes on.
sh -c '"$1" -- sh "$2" "$3" "" >"$3.log" 2>&1; true' sh "$here/up" "$work/inside" "$work/orphan" &
parent=$!

code=0
wait "$exiting" || code=$?
expect exit 7 "$code"
[[ $code == 7 ]] || cat "$work/exit.log"
gone exit

for name in kill interrupt orphan; do started "$name"; done
kill -KILL "$killed"
{ wait "$killed" || true; } 2>/dev/null # The shell would tell of it at some other time.
gone kill
kill -INT "$interrupted"
code=0
wait "$interrupted" || code=$?
expect interrupt 130 "$code"
gone interrupt
kill -KILL "$parent"
{ wait "$parent" || true; } 2>/dev/null
gone orphan
exit $((failures > 0))
