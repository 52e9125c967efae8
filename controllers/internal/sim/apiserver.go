// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Verbs of writes.
const (
	verbCreate = "create"
	verbUpdate = "update"
	verbStatus = "status"
	verbDelete = "delete"
)

// record is one write that took effect.
type record struct {
	version int64
	step    int
	at      time.Time
	actor   string
	verb    string
	key     key
	// before is nil for a create, after is nil when the object is gone.
	before, after client.Object
}

// apiServer is a model of the API server and etcd: typed objects, one growing
// resource version, optimistic locking, the status subresource, finalizers.
type apiServer struct {
	now     func() time.Time
	step    func() int
	shelves [kindCount]shelf
	version int64
	history []record
	// admit may refuse a write (the admission policies of the cluster).
	admit func(actor string, before, after client.Object) error
	// observers are told of each write.
	observe func(record)
}

func newAPIServer(now func() time.Time, step func() int) *apiServer {
	s := &apiServer{now: now, step: step}
	for i := range s.shelves {
		s.shelves[i] = shelf{}
	}
	return s
}

// get is the stored object, which must not be changed; nil when there is none.
func (s *apiServer) get(k key) client.Object { return s.shelves[k.kind][k.NamespacedName] }

func notFound(k key) error { return apierrors.NewNotFound(k.kind.resource(), k.Name) }

func conflict(k key, why string) error {
	return apierrors.NewConflict(k.kind.resource(), k.Name, fmt.Errorf("%s", why))
}

// roundTrip is an object as it comes back from the server's storage: times in
// whole seconds, empty fields gone.
func roundTrip(o client.Object) (client.Object, error) {
	raw, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	return decodeAs(kindOf(o), raw)
}

func decodeAs(k kind, raw []byte) (client.Object, error) {
	out := blank(k)
	if err := json.Unmarshal(raw, out); err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	return out, nil
}

func (s *apiServer) create(actor string, o client.Object) (client.Object, error) {
	k := keyOf(o)
	if s.get(k) != nil {
		return nil, apierrors.NewAlreadyExists(k.kind.resource(), k.Name)
	}
	if o.GetResourceVersion() != "" {
		return nil, apierrors.NewBadRequest("resourceVersion should not be set on objects to be created")
	}
	next, err := roundTrip(o)
	if err != nil {
		return nil, err
	}
	clearStatus(next)
	next.SetUID(types.UID(fmt.Sprintf("uid-%d", s.version+1)))
	next.SetCreationTimestamp(metav1.NewTime(s.now().Truncate(time.Second)))
	next.SetGeneration(1)
	next.SetDeletionTimestamp(nil)
	setDefaults(next)
	return s.put(actor, verbCreate, nil, next)
}

// update replaces all but the status.
func (s *apiServer) update(actor string, o client.Object) (client.Object, error) {
	have := s.get(keyOf(o))
	if have == nil {
		return nil, notFound(keyOf(o))
	}
	next, err := roundTrip(o)
	if err != nil {
		return nil, err
	}
	return s.replace(actor, have, next)
}

// patch applies a JSON merge patch to all but the status, or to the status only.
func (s *apiServer) patch(actor string, k key, data []byte, status bool) (client.Object, error) {
	have := s.get(k)
	if have == nil {
		return nil, notFound(k)
	}
	raw, err := json.Marshal(have)
	if err != nil {
		return nil, err
	}
	merged, err := jsonpatch.MergePatch(raw, data)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	next, err := decodeAs(k.kind, merged)
	if err != nil {
		return nil, err
	}
	if status {
		return s.replaceStatus(actor, have, next)
	}
	return s.replace(actor, have, next)
}

func (s *apiServer) updateStatus(actor string, o client.Object) (client.Object, error) {
	have := s.get(keyOf(o))
	if have == nil {
		return nil, notFound(keyOf(o))
	}
	next, err := roundTrip(o)
	if err != nil {
		return nil, err
	}
	return s.replaceStatus(actor, have, next)
}

func versionMatches(have, next client.Object) error {
	if v := next.GetResourceVersion(); v != "" && v != have.GetResourceVersion() {
		return conflict(keyOf(have), "the object has been modified")
	}
	return nil
}

func (s *apiServer) replace(actor string, have, next client.Object) (client.Object, error) {
	if err := versionMatches(have, next); err != nil {
		return nil, err
	}
	keepServerFields(have, next)
	copyStatus(have, next)
	setDefaults(next)
	if err := immutable(have, next); err != nil {
		return nil, err
	}
	if specOf(have) != nil && !equality.Semantic.DeepEqual(specOf(have), specOf(next)) {
		next.SetGeneration(have.GetGeneration() + 1)
	}
	return s.put(actor, verbUpdate, have, next)
}

func (s *apiServer) replaceStatus(actor string, have, next client.Object) (client.Object, error) {
	if err := versionMatches(have, next); err != nil {
		return nil, err
	}
	only := have.DeepCopyObject().(client.Object)
	copyStatus(next, only)
	return s.put(actor, verbStatus, have, only)
}

// put stores an object. A write that changes nothing is none. An object whose
// deletion was asked for is gone with its last finalizer.
func (s *apiServer) put(actor, verb string, have, next client.Object) (client.Object, error) {
	if have != nil {
		next.SetResourceVersion(have.GetResourceVersion())
		if equality.Semantic.DeepEqual(have, next) {
			return have, nil
		}
	}
	if s.admit != nil {
		if err := s.admit(actor, have, next); err != nil {
			return nil, err
		}
	}
	s.version++
	next.SetResourceVersion(strconv.FormatInt(s.version, 10))
	k := keyOf(next)
	if next.GetDeletionTimestamp() != nil && len(next.GetFinalizers()) == 0 {
		delete(s.shelves[k.kind], k.NamespacedName)
		s.remember(record{actor: actor, verb: verbDelete, key: k, before: have})
		return next, nil
	}
	s.shelves[k.kind][k.NamespacedName] = next
	s.remember(record{actor: actor, verb: verb, key: k, before: have, after: next})
	return next, nil
}

// remove asks for the deletion of an object.
func (s *apiServer) remove(actor string, k key, pre *metav1.Preconditions) error {
	have := s.get(k)
	if have == nil {
		return notFound(k)
	}
	if pre != nil && (pre.UID != nil && *pre.UID != have.GetUID() ||
		pre.ResourceVersion != nil && *pre.ResourceVersion != have.GetResourceVersion()) {
		return conflict(k, "the precondition does not hold")
	}
	if s.admit != nil {
		if err := s.admit(actor, have, nil); err != nil {
			return err
		}
	}
	// Pods go only after the kubelet has stopped them.
	if len(have.GetFinalizers()) > 0 || k.kind == kindPod {
		if have.GetDeletionTimestamp() != nil {
			return nil
		}
		next := have.DeepCopyObject().(client.Object)
		at := metav1.NewTime(s.now().Truncate(time.Second))
		next.SetDeletionTimestamp(&at)
		s.version++
		next.SetResourceVersion(strconv.FormatInt(s.version, 10))
		s.shelves[k.kind][k.NamespacedName] = next
		s.remember(record{actor: actor, verb: verbUpdate, key: k, before: have, after: next})
		return nil
	}
	return s.drop(actor, k)
}

// drop takes an object away at once.
func (s *apiServer) drop(actor string, k key) error {
	have := s.get(k)
	if have == nil {
		return notFound(k)
	}
	s.version++
	delete(s.shelves[k.kind], k.NamespacedName)
	s.remember(record{actor: actor, verb: verbDelete, key: k, before: have})
	return nil
}

func (s *apiServer) remember(r record) {
	r.version, r.at, r.step = s.version, s.now(), s.step()
	s.history = append(s.history, r)
	if s.observe != nil {
		s.observe(r)
	}
}

func keepServerFields(have, next client.Object) {
	next.SetUID(have.GetUID())
	next.SetCreationTimestamp(have.GetCreationTimestamp())
	next.SetGeneration(have.GetGeneration())
	next.SetDeletionTimestamp(have.GetDeletionTimestamp())
	if have.GetDeletionTimestamp() != nil {
		next.SetFinalizers(slices.DeleteFunc(next.GetFinalizers(), func(f string) bool {
			return !slices.Contains(have.GetFinalizers(), f)
		}))
	}
}
