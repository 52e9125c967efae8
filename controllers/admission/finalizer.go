// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"slices"

	"github.com/countersign/countersign/api/v1alpha1"
	"gomodules.xyz/jsonpatch/v2"
)

// keepFinalizer puts the operator's finalizer back when somebody else leaves it
// out: a replace from a manifest that does not know it must neither fail nor
// lose it. The operator takes it off when it has tidied up.
func (w *Webhook) keepFinalizer(r *review) []jsonpatch.Operation {
	if r.was == nil || r.user == w.OperatorUser ||
		!slices.Contains(r.was.Finalizers, v1alpha1.Finalizer) || slices.Contains(r.now.Finalizers, v1alpha1.Finalizer) {
		return nil
	}
	r.warn("finalizer %s is the operator's and was kept", v1alpha1.Finalizer)
	if len(r.now.Finalizers) == 0 {
		return []jsonpatch.Operation{jsonpatch.NewOperation("add", "/metadata/finalizers", []string{v1alpha1.Finalizer})}
	}
	return []jsonpatch.Operation{jsonpatch.NewOperation("add", "/metadata/finalizers/-", v1alpha1.Finalizer)}
}
