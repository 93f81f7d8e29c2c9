#!/usr/bin/env bash
# Does each registry of the ground make the kubelet say what it is there for?
# Starts a ground of its own, in which this script runs again.
set -euo pipefail
if [[ -z ${REGISTRYCHECK_GROUND:-} ]]; then
  exec "$(dirname "$0")/up" -- "$0"
fi

# NAME IMAGE SECRET EXPECTED: a pod, its pull secret (or -), and what its
# container must come to: "Running", or a part of the kubelet's message.
table() {
  cat <<'TABLE'
basic            basic.test/shop/api:v1              basic   Running
basic-nested     basic.test/shop/deep/nested/app:v1  basic   Running
basic-alias      alias.test/shop/web:v1              alias   Running
basic-none       basic.test/shop/api:v1              -       401 Unauthorized
basic-wrong      basic.test/shop/api:v1              wrong   401 Unauthorized
basic-no-tag     basic.test/shop/api:v9              basic   basic.test/shop/api:v9: not found
bearer           bearer.test/shop/api:v1             bearer  Running
bearer-public    bearer.test/public/tool:v1          -       Running
bearer-none      bearer.test/shop/api:v1             -       authorization failed
bearer-wrong     bearer.test/shop/api:v1             wrong   failed to fetch oauth token: unexpected status: 401 Unauthorized
bearer-other     bearer.test/public/tool:v1          bearer  authorization failed
anonymous        anonymous.test/public/tool:v1       -       Running
plain            plain.test:5000/shop/api:v1         -       Running
plain-unknown    plain.test:5001/shop/api:v1         -       server gave HTTP response to HTTPS client
expired          expired.test/shop/api:v1            -       certificate has expired or is not yet valid
wrongname        wrongname.test/shop/api:v1          -       certificate is valid for another.test, not wrongname.test
untrusted        untrusted.test/shop/api:v1          -       certificate signed by unknown authority
unavailable      unavailable.test/shop/api:v1        -       503 Service Unavailable
refused          refused.test/shop/api:v1            -       connect: connection refused
missing          missing.test/shop/api:v1            -       no such host
local            localhost/tool:1                    -       Running
silent           silent.test/shop/api:v1             -       i/o timeout
TABLE
}

secret() { # NAME HOSTS PASSWORD
  local host arguments=()
  for host in ${2//,/ }; do arguments+=("\"$host\":{\"username\":\"alice\",\"password\":\"$3\"}"); done
  kubectl create secret generic "$1" --type=kubernetes.io/dockerconfigjson \
    --from-literal=.dockerconfigjson="{\"auths\":{$(IFS=,; echo "${arguments[*]}")}}" --dry-run=client -o yaml
}

pod() { # NAME IMAGE SECRET
  local secrets='' policy=Always
  [[ $3 == - ]] || secrets="imagePullSecrets: [{name: $3}]"
  [[ $2 == localhost/* ]] && policy=Never
  cat <<POD
apiVersion: v1
kind: Pod
metadata: {name: $1}
spec:
  $secrets
  automountServiceAccountToken: false
  securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
  containers:
  - {name: app, image: "$2", imagePullPolicy: $policy, securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}
POD
}

{
  secret basic basic.test s3cret-basic-canary; echo ---
  secret alias alias.test s3cret-basic-canary; echo ---
  secret bearer bearer.test s3cret-bearer-canary; echo ---
  secret wrong basic.test,bearer.test wrong; echo ---
} | kubectl apply -f - >/dev/null
kubectl label namespace default pod-security.kubernetes.io/enforce=restricted >/dev/null
while read -r name image secret _; do
  pod "$name" "$image" "$secret"
  echo ---
done < <(table) | kubectl apply -f - >/dev/null

state() { # what the container came to, in one line
  kubectl get pod "$1" -o \
    jsonpath='{.status.containerStatuses[0].state.running.startedAt}{.status.containerStatuses[0].state.waiting.reason}: {.status.containerStatuses[0].state.waiting.message}'
}

failures=0
while read -r name _ _ expected; do
  seen=nothing
  while ((SECONDS < 90)); do # for all pods together
    seen=$(state "$name")
    [[ $seen == 2* ]] && seen=Running
    # The reason ImagePullBackOff repeats the message of ErrImagePull.
    [[ $seen == *"$expected"* ]] && break
    sleep 0.5
  done
  if [[ $seen == *"$expected"* ]]; then
    printf 'ok    %-14s %s\n' "$name" "$seen"
  else
    failures=$((failures + 1))
    printf 'FAIL  %-14s want %s, got %s\n' "$name" "$expected" "$seen"
  fi
done < <(table)
exit $((failures > 0))
