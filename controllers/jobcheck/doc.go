// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Package jobcheck knows what a check that is a Job is made of: the template that
// the spec has for its Pods, what the Job is called, which Pods it is aimed at, and
// what it finds in its environment.
//
// It is pure. The template is kept in the spec as it was written, because one that
// is no Pod template must not keep the operator from reading all other Releases:
// so it is read here, and strictly.
package jobcheck
