# Copyright The Countersign Authors.
# SPDX-License-Identifier: Apache-2.0

SEEDS      ?= 2000
CHECKS     ?= 1000000
FUZZTIME   ?= 10m
PROMOTIONS ?= 100
ROLLBACKS  ?= 20
GO         ?= go

.DEFAULT_GOAL := help

##@ First

.PHONY: demo
demo: ## Start a real cluster and tell the story of three releases on it (root on Linux).
	$(GO) run ./hack/e2e demo

.PHONY: demo-gate
demo-gate: ## The same with a veto, a freeze, stop-the-line, a tightened policy, break-glass and its review.
	$(GO) run ./hack/e2e demo-gate

.PHONY: demo-adopt
demo-adopt: ## A Deployment and Service under load become a Release, are promoted, and are given back.
	$(GO) run ./hack/e2e demo-adopt

.PHONY: demo-install
demo-install: ## Install by Helm, upgrade under load, kill the leader in mid-switch, uninstall (root on Linux).
	$(GO) run ./hack/e2e demo-install

.PHONY: test
test: ## Run every test there is: pure core, simulation, real API server, real cluster.
	@hack/test.sh

.PHONY: cluster
cluster: ## Start a real cluster with Countersign on it, and say how to use it.
	$(GO) run ./hack/cluster up
	$(GO) run ./hack/e2e install

.PHONY: cluster-down
cluster-down: ## End that cluster and remove all that it left.
	$(GO) run ./hack/cluster down

##@ Tests, one layer at a time

.PHONY: test-unit
test-unit: ## Tables, properties and a short simulation. Seconds; no cluster.
	$(GO) test -short ./...

.PHONY: test-apiserver
test-apiserver: ## Schema, policies, webhook and attacks on a real API server and etcd.
	$(GO) test -count=1 -timeout=20m ./hack/e2e/apiserver/ ./hack/cluster/local/

.PHONY: test-e2e
test-e2e: ## The operator on a real cluster: kubelet, containers, kube-proxy (root on Linux).
	COUNTERSIGN_REAL=1 $(GO) test -count=1 -timeout=20m -v ./hack/e2e/

.PHONY: soak
soak: ## PROMOTIONS (default 100) and ROLLBACKS (20) on a real cluster, under traffic that may lose no request.
	$(GO) run ./hack/e2e soak --promotions $(PROMOTIONS) --rollbacks $(ROLLBACKS)

.PHONY: docs-test
docs-test: ## Run the commands of README.md and docs/ on a real cluster, as a reader does (root on Linux).
	$(GO) run ./hack/docs

.PHONY: test-gitops
test-gitops: ## Sync a Release through its life by the code of Argo CD and Flux: a line for each engine and phase.
	$(GO) run ./hack/gitops

.PHONY: sim
sim: ## Run the simulation with SEEDS seeds (default 2000) and print what it found.
	$(GO) test ./controllers/internal/sim -run TestSeeds -count=1 -timeout=60m -v -args -seeds=$(SEEDS)

.PHONY: test-security
test-security: ## Try every known attack, and say for each how it fails.
	cd hack/celcost && $(GO) test -vet=off -count=1 ./... # vet would read all of the API server
	$(GO) run ./hack/security

.PHONY: test-defects
test-defects: ## Play every known defect of other tools, and say for each how it is not here.
	$(GO) run ./hack/defects

.PHONY: mutants
mutants: ## Remove each guard, and each expression of the policies, in turn and see that a test notices.
	$(GO) run ./hack/mutants

.PHONY: properties
properties: ## Hold votes against brute force, in CHECKS random cases (default 1000000).
	$(GO) test ./controllers/approval -count=1 -timeout=4h -v -run '^(TestEvaluateEqualsBruteForce|TestSeatsAreHeldByDistinctGoodVoters|TestTightensNeverApproves)$$' -rapid.checks=$(CHECKS)

.PHONY: fuzz
fuzz: ## Fuzz every parser; they share FUZZTIME (default 10m).
	@GO=$(GO) hack/fuzz.sh $(FUZZTIME)

.PHONY: bench
bench: ## Benchmarks of the pure core, and of a switch on a real API server.
	$(GO) test -run=NONE -bench=. -benchmem ./controllers/... ./hack/e2e/apiserver/

##@ Development

.PHONY: build
build: ## Build the operator into bin/.
	$(GO) build -trimpath -o bin/countersign .

.PHONY: image
image: ## Write the operator's image (OCI archive, amd64 and arm64) and its bill of materials into dist/.
	$(GO) run ./hack/image

.PHONY: chart
chart: ## Package the Helm chart into dist/.
	$(GO) -C hack/chart run . -package ../../dist

.PHONY: plugin
plugin: ## Build the plugin kubectl countersign into bin/.
	$(GO) build -trimpath -o bin/kubectl-countersign ./cmd/kubectl-countersign

.PHONY: plugin-archives
plugin-archives: ## Write the plugin for each platform and its krew manifest into dist/krew/: VERSION=v0.1.0 ADDRESS=https://HOST/PATH.
	$(GO) -C hack/krew run . -version "$(VERSION)" -address "$(ADDRESS)"

.PHONY: generate
generate: ## Regenerate deep copies and CustomResourceDefinitions from api/, the chart from config/, the scripts of Argo CD, and pages and tables in docs/.
	$(GO) tool controller-gen object:headerFile=hack/boilerplate.go.txt paths=./api/...
	$(GO) tool controller-gen crd:generateEmbeddedObjectMeta=true paths=./api/... output:crd:dir=config/crd/bases
	$(GO) run ./hack/security -docs docs/security.md
	$(GO) run ./hack/defects -docs docs/defects.md
	$(GO) run ./hack/reference/reasons docs/troubleshooting.md
	hack/reference/api/generate.sh docs/api.md
	$(GO) run ./hack/reference -metrics docs/metrics.md -events docs/events.md
	$(GO) -C hack/chart run .
	$(GO) run ./hack/gitops -write

.PHONY: verify
verify: ## Fail if generated files, formatting or go.mod are not what they should be.
	@hack/verify.sh

.PHONY: clean
clean: ## Remove what was built here. The cluster's programs stay cached.
	rm -rf bin dist

.PHONY: help
help: ## Show this help.
	@awk 'BEGIN {FS = ":.*##"} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*##/ {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
