#!/usr/bin/env bash
# Plays upstream's kubectl suite (test/cmd of Kubernetes) against a server that runs already; run-kubectl-suite.ts
# starts it, and copies the suite to where this runs. In the environment: PORT of the server, OUT (a folder: what each
# section said), SECTIONS (their names; none: all). Says on descriptor 3 when a section begins and how it ended.
set -o errexit -o nounset -o pipefail
export TERM=${TERM:-xterm} LANG=C
SECURE_API_PORT=$PORT
source hack/lib/init.sh
source hack/lib/test.sh
source test/cmd/legacy-script.sh

# What upstream starts and builds is there.
kube::etcd::start() { :; }
kube::etcd::cleanup() { :; }
make() { :; }

# As upstream's, but each section has a file of its own, and those that were not asked for are left out.
record_command() {
  local name=$1 begun=$SECONDS
  if [[ -n "${SECTIONS-}" && " $SECTIONS " != *" $name "* ]]; then return 0; fi
  echo "begin $name" >&3
  set +o nounset
  set +o errexit
  ("$@") >"$OUT/$name.log" 2>&1 3>&-
  echo "end $name $? $((SECONDS - begun))" >&3
  set -o nounset
  set -o errexit
}

setup
# The suite's node has nobody behind it; without the annotation nothing of it would have a manager.
kubectl create -f - <<'NODE'
{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "127.0.0.1", "annotations": {"save-managers": "true"}},
 "status": {"capacity": {"memory": "1Gi"}}}
NODE
export SUPPORTED_RESOURCES=("*")
runTests
