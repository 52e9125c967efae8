#!/usr/bin/env bash
# Copyright The Countersign Authors.
# SPDX-License-Identifier: Apache-2.0

# Every test there is, a layer after the other, each with its time. A layer that
# this machine cannot run is named, with the reason.
set -euo pipefail
cd "$(dirname "$0")/.."

step() {
  local name=$1 start=$SECONDS
  shift
  echo "--- $name"
  "$@" || return
  echo "--- $name passed in $((SECONDS - start)) s"
}

step "verify" hack/verify.sh
# Built first, because it takes long the first time and tests have a time limit.
step "programs of the cluster" go run ./hack/cluster build
step "unit" go test -short ./...
step "cost of policies" go -C hack/celcost test -vet=off -count=1 ./...
step "chart" go -C hack/chart test -vet=off -count=1 ./...
step "krew manifest" go -C hack/krew test -vet=off -count=1 ./...
step "alerts and dashboard" go -C hack/observability test -vet=off -count=1 ./...
step "simulation" go test -count=1 -timeout=30m ./controllers/internal/sim/
step "engines of GitOps" go run ./hack/gitops

# These two mostly wait, each for a cluster of its own: they run side by side, and
# what the first says is shown when the second has ended.
said=$(mktemp)
trap 'rm -f "$said"' EXIT
step "real API server" go test -count=1 -timeout=30m ./hack/e2e/apiserver/ ./hack/cluster/local/ >"$said" 2>&1 &
api_server=$! failed=0
if [ "$(uname -s)" = Linux ] && [ "$(id -u)" = 0 ]; then
  step "real cluster" env COUNTERSIGN_REAL=1 go test -count=1 -timeout=30m -v ./hack/e2e/ || failed=1
else
  echo "--- real cluster: NOT RUN, because containers want root on Linux; run: sudo make test-e2e"
fi
wait "$api_server" || failed=1
cat "$said"
[ "$failed" = 0 ]
echo "--- all tests passed"
