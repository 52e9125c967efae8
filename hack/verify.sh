#!/usr/bin/env bash
# Copyright The Countersign Authors.
# SPDX-License-Identifier: Apache-2.0

# Fails when something in the tree is not what its source would give.
set -euo pipefail
cd "$(dirname "$0")/.."

aside=$(mktemp -d)
trap 'rm -rf "$aside"' EXIT

unformatted=$(git ls-files '*.go' | xargs gofmt -l)
if [ -n "$unformatted" ]; then
  printf 'not formatted; run gofmt -w on:\n%s\n' "$unformatted"
  exit 1
fi
go vet ./...
go mod tidy -diff || { echo 'go.mod is not tidy; run: go mod tidy'; exit 1; }

go tool controller-gen crd:generateEmbeddedObjectMeta=true paths=./api/... output:crd:dir="$aside/crd"
diff -ru config/crd/bases "$aside/crd" || { echo 'config/crd is not what api/ gives; run: make generate'; exit 1; }
go tool controller-gen object:headerFile=hack/boilerplate.go.txt paths=./api/... output:object:dir="$aside/api"
diff -u api/v1alpha1/zz_generated.deepcopy.go "$aside/api/zz_generated.deepcopy.go" || { echo 'deep copies are not what api/ gives; run: make generate'; exit 1; }

go run ./hack/security -docs "$aside/security.md"
diff -u docs/security.md "$aside/security.md" || { echo 'docs/security.md is not what hack/security and the tests give; run: make generate'; exit 1; }

go run ./hack/defects -docs "$aside/defects.md"
diff -u docs/defects.md "$aside/defects.md" || { echo 'docs/defects.md is not what hack/defects and the tests give; run: make generate'; exit 1; }

go run ./hack/reference -metrics "$aside/metrics.md" -events "$aside/events.md"
diff -u docs/metrics.md "$aside/metrics.md" || { echo 'docs/metrics.md is not what the registered metrics give; run: make generate'; exit 1; }
diff -u docs/events.md "$aside/events.md" || { echo 'docs/events.md is not what the catalogue of events gives; run: make generate'; exit 1; }

go run ./hack/reference/reasons "$aside/troubleshooting.md"
diff -u docs/troubleshooting.md "$aside/troubleshooting.md" || { echo 'docs/troubleshooting.md is not what api/v1alpha1/conditions.go gives; run: make generate'; exit 1; }

hack/reference/api/generate.sh "$aside/api.md"
diff -u docs/api.md "$aside/api.md" || { echo 'docs/api.md is not what api/ gives; run: make generate'; exit 1; }

go -C hack/chart run . -into "$aside/install"
for file in $(cd "$aside/install" && find . -type f); do
  diff -u "$file" "$aside/install/$file" || { echo "$file is not what config/ and the schema of the chart's values give; run: make generate"; exit 1; }
done
