// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Package v1alpha1 holds the resources that people write: Release, what to
// run and how to let it out, and ApprovalPolicy, who has to agree.
//
// A Release keeps two Deployments, one per colour. At any time at most one
// colour is active (its Services select it); the other holds the candidate,
// the former colour kept warm, or nothing. Roles are computed from what the
// Services really select. The status of a Release has two halves: facts, which
// cannot be derived again (who was promoted when, what was intended), and a
// derived half (phase, conditions, counts), which is for people and tools and
// is never read back by the operator.
//
// +kubebuilder:object:generate=true
// +groupName=countersign.dev
package v1alpha1
