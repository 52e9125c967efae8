// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package act

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/rollout"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// keepContent makes the record of content. It goes with its Release: without the
// status nobody goes back to it. One of the name that is there already either is the
// record or is never taken for it.
func (a *Actor) keepContent(ctx context.Context, rel *v1alpha1.Release, k rollout.KeepContent) error {
	data, err := json.Marshal(k.KeptRecord)
	if err != nil {
		return fmt.Errorf("encode the content of ControllerRevision %s/%s: %w", rel.Namespace, k.Name, err)
	}
	record := &appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: rel.Namespace, Name: k.Name, Labels: map[string]string{v1alpha1.ReleaseLabel: rel.Name},
			Annotations:     map[string]string{v1alpha1.DigestAnnotation: k.Content.Digest},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(rel, v1alpha1.GroupVersion.WithKind("Release"))},
		},
		Data: runtime.RawExtension{Raw: data}, Revision: k.Content.Sequence,
	}
	if err := a.Client.Create(ctx, record); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create ControllerRevision %s/%s: %w", rel.Namespace, k.Name, err)
	}
	return nil
}

func (a *Actor) dropKept(ctx context.Context, rel *v1alpha1.Release, d rollout.DropKept) error {
	record := &appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{Namespace: rel.Namespace, Name: d.Name}}
	err := a.Client.Delete(ctx, record, client.Preconditions{UID: (*types.UID)(&d.UID)})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete ControllerRevision %s/%s: %w", rel.Namespace, d.Name, err)
	}
	return nil
}
