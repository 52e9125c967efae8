// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"context"
	"fmt"
	"slices"

	"github.com/countersign/countersign/api/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

const (
	// Namespace holds the probe's account and what it is let loose on, and
	// nothing else. The operator releases nothing there.
	Namespace = "countersign-probe"
	// Account of the probe.
	Account = "countersign-probe"
	// User is what the API server calls it.
	User = "system:serviceaccount:" + Namespace + ":" + Account

	// fixtureName is the Release, and the Deployment of it, that is there to be
	// attacked.
	fixtureName = "gate"
	// attemptName is what a probe tries to make.
	attemptName = "attempt"
)

// Fixture is the Release that events about the gate are told of.
func Fixture() *v1alpha1.Release { return named(&v1alpha1.Release{}, fixtureName) }

// prepare brings the fixture into being. Where that fails, so do the probes that
// need it. It has no finalizer: after an uninstall its namespace could not end.
func (t *Tester) prepare(ctx context.Context) {
	err := t.ensure(ctx, exampleRelease(fixtureName), Fixture())
	if err == nil {
		err = t.ensure(ctx, exampleDeployment(fixtureName), named(&appsv1.Deployment{}, fixtureName))
	}
	if err != nil {
		log.FromContext(ctx).Error(err, "Could not prepare the namespace where the gate is tried; if it is missing, apply config/rbac", "namespace", Namespace)
	}
}

func (t *Tester) ensure(ctx context.Context, want, have client.Object) error {
	err := t.Operator.Get(ctx, client.ObjectKeyFromObject(want), have)
	if apierrors.IsNotFound(err) {
		return client.IgnoreAlreadyExists(t.Operator.Create(ctx, want))
	}
	if err != nil {
		return err
	}
	// One that an earlier version made has one.
	if slices.Contains(have.GetFinalizers(), v1alpha1.Finalizer) {
		return client.IgnoreNotFound(t.Operator.Patch(ctx, have, merge(`{"metadata":{"finalizers":null}}`)))
	}
	if have.GetDeletionTimestamp() != nil {
		return fmt.Errorf("%s is being deleted", have.GetName())
	}
	return nil
}
