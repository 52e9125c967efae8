// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/digest"
	"github.com/countersign/countersign/controllers/receipt"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// roundTrip creates a Release, as dry-run, and wants the webhook to have put its
// author on record with a key that is trusted. Something random in the content
// keeps a receipt of before from standing in.
func (t *Tester) roundTrip(ctx context.Context) error {
	rel := exampleRelease(attemptName)
	rel.Spec.Template.Annotations = map[string]string{"try": rand.Text()}
	if err := client.NewDryRunClient(t.Operator).Create(ctx, rel); err != nil {
		return fmt.Errorf("the webhook was asked to sign and the request failed: %w; look at it: kubectl get pods -n %s -l app.kubernetes.io/component=webhook",
			err, t.SystemNamespace)
	}
	if err := t.signed(rel); err != nil {
		return fmt.Errorf("the webhook did not sign as it has to: %w; look at it: kubectl get mutatingwebhookconfiguration countersign -o yaml, and kubectl logs -n %s -l app.kubernetes.io/component=webhook",
			err, t.SystemNamespace)
	}
	return nil
}

func (t *Tester) signed(rel *v1alpha1.Release) error {
	envelope, err := receipt.ParseAuthorsReceipt(rel.Annotations[v1alpha1.AuthorsReceiptAnnotation])
	if err != nil {
		return err
	}
	got, err := t.Verifier.Authors(envelope)
	if err != nil {
		return err
	}
	revision, err := digest.Revision(rel.Spec)
	if err != nil {
		return err
	}
	switch {
	case got.Cluster != t.Cluster || got.Namespace != Namespace || got.Name != attemptName || got.Revision != revision:
		return errors.New("the receipt is of something else")
	case !got.DryRun:
		return errors.New("the receipt of a dry run does not say so")
	case !slices.Equal(got.Authors, []string{t.OperatorUser}):
		return fmt.Errorf("the receipt names %v, and it was %s", got.Authors, t.OperatorUser)
	}
	return nil
}
