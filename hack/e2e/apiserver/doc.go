// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Package apiserver holds the tests on a real kube-apiserver and etcd: what the
// schemas and the admission policies let through, by each verb that can write,
// and the operator beside them. There is nothing else in it.
//
//	go test ./hack/e2e/apiserver/
//	go test ./hack/e2e/apiserver/ -run '^$' -bench VoteToSwitch
//
// The first run builds Kubernetes: about 13 minutes on two cores. Two control
// planes are started when a test first needs them. The one has the schemas, the
// roles and the policies, and no webhook: what is refused there is refused by
// the API server alone. The other has everything, with the operator as a
// process, the controllers of Kubernetes and nodes that only pretend.
package apiserver
