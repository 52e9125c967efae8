// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	"github.com/countersign/countersign/controllers/receipt"
	"gomodules.xyz/jsonpatch/v2"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// review is one request on its way through the webhook.
type review struct {
	req  admission.Request
	user string
	// was is the Release before the request; nil when it is being created.
	was *v1alpha1.Release
	// now is the Release as the request wants it.
	now *v1alpha1.Release
	// specChanged is true when any field of the spec changes, contentChanged
	// when one does that is part of what is approved.
	specChanged, contentChanged bool
	// annotations that the Release is to have in the end.
	annotations map[string]string
	warnings    []string
	// swept are the slots of votes that the operator frees.
	swept []string
	// stated counts the votes and other statements that the request makes or
	// takes back.
	stated int
}

func newReview(req admission.Request) (*review, error) {
	r := &review{req: req, user: req.UserInfo.Username, now: &v1alpha1.Release{}}
	if err := json.Unmarshal(req.Object.Raw, r.now); err != nil {
		return nil, fmt.Errorf("decode the Release: %w", err)
	}
	if r.now.Namespace == "" {
		r.now.Namespace = req.Namespace
	}
	r.annotations = maps.Clone(r.now.Annotations)
	if r.annotations == nil {
		r.annotations = map[string]string{}
	}
	if len(req.OldObject.Raw) == 0 {
		r.specChanged, r.contentChanged = true, true
		return r, nil
	}
	r.was = &v1alpha1.Release{}
	if err := json.Unmarshal(req.OldObject.Raw, r.was); err != nil {
		return nil, fmt.Errorf("decode the Release as it was: %w", err)
	}
	var err error
	r.specChanged, r.contentChanged, err = compare(req.OldObject.Raw, req.Object.Raw)
	return r, err
}

// notContent are the fields of a spec that may change at any time.
var notContent = [...]string{"replicas", "previewReplicas", "disruptionBudget", "revisionHistoryLimit", "paused"}

// compare looks at the specs as they are stored, like the admission policies,
// so that both agree on what a change is. Whole numbers are compared as such: as
// floats, large ones would be equal to their neighbours.
func compare(was, now []byte) (specChanged, contentChanged bool, err error) {
	var a, b struct {
		Spec map[string]any `json:"spec"`
	}
	if err := json.Unmarshal(was, &a); err != nil {
		return false, false, fmt.Errorf("decode the spec as it was: %w", err)
	}
	if err := json.Unmarshal(now, &b); err != nil {
		return false, false, fmt.Errorf("decode the spec: %w", err)
	}
	specChanged = !reflect.DeepEqual(a.Spec, b.Spec)
	for _, spec := range []map[string]any{a.Spec, b.Spec} {
		for _, field := range notContent {
			delete(spec, field)
		}
	}
	return specChanged, !reflect.DeepEqual(a.Spec, b.Spec), nil
}

func (r *review) creating() bool { return r.was == nil }

// before is the value of an annotation before the request.
func (r *review) before(key string) (string, bool) {
	if r.was == nil {
		return "", false
	}
	value, ok := r.was.Annotations[key]
	return value, ok
}

// changed are the slots whose annotation with the prefix is added, changed or
// removed by the request, sorted.
func (r *review) changed(prefix string) (slots []string) {
	seen := map[string]bool{}
	collect := func(annotations map[string]string) {
		for key := range annotations {
			if slot, ok := strings.CutPrefix(key, prefix); ok && !seen[slot] {
				seen[slot] = true
				was, had := r.before(key)
				now, has := r.now.Annotations[key]
				if was != now || had != has {
					slots = append(slots, slot)
				}
			}
		}
	}
	collect(r.now.Annotations)
	if r.was != nil {
		collect(r.was.Annotations)
	}
	slices.Sort(slots)
	return slots
}

// dropped tells whether the request leaves out an annotation that was there.
func (r *review) dropped(key string) bool {
	_, had := r.before(key)
	_, has := r.now.Annotations[key]
	return had && !has
}

// swept tells whether the operator frees a slot whose statement has no effect any
// more: all of it is left out.
func (w *Webhook) swept(r *review, prefix, receipts, slot string, contents func(*v1alpha1.ReleaseStatus) []string) bool {
	text, has := r.before(receipts + slot)
	_, stays := r.now.Annotations[prefix+slot]
	return r.user == w.OperatorUser && r.was != nil && has && r.dropped(receipts+slot) && !stays && approval.Spent(text, contents(&r.was.Status)...)
}

// restore gives an annotation the value it had.
func (r *review) restore(key string) {
	if value, had := r.before(key); had {
		r.annotations[key] = value
	} else {
		delete(r.annotations, key)
	}
}

func (r *review) warn(format string, args ...any) {
	r.warnings = append(r.warnings, fmt.Sprintf(format, args...))
}

// owner of a slot: the user that its receipt names, before the request. A slot
// without a receipt is free; one whose receipt names nobody is nobody's for good,
// as it is for the admission policies.
func (r *review) owner(slot string) string { return r.ownerIn(v1alpha1.ReceiptPrefix, slot) }

// ownerIn is the owner of a slot of another kind, by the prefix of its receipts.
func (r *review) ownerIn(receipts, slot string) string { return ownerOf(r.before(receipts + slot)) }

// nobody owns the slots whose receipt names nobody. It is no username.
const nobody = "nobody who can be told"

func ownerOf(receiptText string, has bool) string {
	if !has {
		return ""
	}
	if user, named := receipt.Owner(receiptText); named {
		return user
	}
	return nobody
}

// slotOf is the slot that a user owns, other than the given one.
func (r *review) slotOf(user, except string) (slot string, owns bool) {
	return r.slotOfIn(v1alpha1.ReceiptPrefix, user, except)
}

func (r *review) slotOfIn(receipts, user, except string) (slot string, owns bool) {
	if r.was == nil {
		return "", false
	}
	for _, key := range slices.Sorted(maps.Keys(r.was.Annotations)) {
		other, ok := strings.CutPrefix(key, receipts)
		if ok && other != except && r.ownerIn(receipts, other) == user {
			return other, true
		}
	}
	return "", false
}

// annotate is the command that sets an annotation of the Release.
func (r *review) annotate(assignment string) string {
	return fmt.Sprintf("kubectl annotate release %s -n %s --overwrite %s", r.now.Name, r.now.Namespace, assignment)
}

// patch turns the annotations of the request into those that are wanted.
func (r *review) patch() (operations []jsonpatch.Operation) {
	have := r.now.Annotations
	if len(have) == 0 {
		if len(r.annotations) > 0 {
			operations = append(operations, jsonpatch.NewOperation("add", "/metadata/annotations", r.annotations))
		}
		return operations
	}
	for _, key := range slices.Sorted(maps.Keys(r.annotations)) {
		if value, has := have[key]; !has || value != r.annotations[key] {
			operations = append(operations, jsonpatch.NewOperation("add", pointer(key), r.annotations[key]))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(have)) {
		if _, wanted := r.annotations[key]; !wanted {
			operations = append(operations, jsonpatch.NewOperation("remove", pointer(key), nil))
		}
	}
	return operations
}

func pointer(key string) string {
	return "/metadata/annotations/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
}
