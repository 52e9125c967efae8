// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// kind is one of the types that the model API server keeps.
type kind int

const (
	kindRelease kind = iota
	kindPolicy
	kindDeployment
	kindPod
	kindService
	kindSlice
	kindConfigMap
	kindSecret
	kindBudget
	kindJob
	kindRecord
	kindCount
)

var kindNames = [kindCount]string{"Release", "ApprovalPolicy", "Deployment", "Pod", "Service", "EndpointSlice", "ConfigMap", "Secret", "PodDisruptionBudget", "Job", "ControllerRevision"}

func (k kind) String() string { return kindNames[k] }

func (k kind) resource() schema.GroupResource {
	return schema.GroupResource{Group: "model", Resource: strings.ToLower(k.String()) + "s"}
}

// filtered kinds are cached by the operator only with the Release label on
// them, as controllers.CacheOptions has it.
func (k kind) filtered() bool {
	return k == kindDeployment || k == kindPod || k == kindSlice || k == kindJob || k == kindRecord
}

// key is where an object is kept.
type key struct {
	kind kind
	types.NamespacedName
}

func (k key) String() string { return k.kind.String() + "/" + k.Name }

func keyOf(o client.Object) key {
	return key{kindOf(o), types.NamespacedName{Namespace: o.GetNamespace(), Name: o.GetName()}}
}

func kindOf(o client.Object) kind {
	switch o.(type) {
	case *v1alpha1.Release:
		return kindRelease
	case *v1alpha1.ApprovalPolicy:
		return kindPolicy
	case *appsv1.Deployment:
		return kindDeployment
	case *corev1.Pod:
		return kindPod
	case *corev1.Service:
		return kindService
	case *discoveryv1.EndpointSlice:
		return kindSlice
	case *corev1.ConfigMap:
		return kindConfigMap
	case *corev1.Secret:
		return kindSecret
	case *policyv1.PodDisruptionBudget:
		return kindBudget
	case *batchv1.Job:
		return kindJob
	case *appsv1.ControllerRevision:
		return kindRecord
	case *metav1.PartialObjectMetadata:
		return configKind(v1alpha1.ConfigKind(o.GetObjectKind().GroupVersionKind().Kind))
	}
	panic(fmt.Sprintf("the model API server does not keep %T", o))
}

func blank(k kind) client.Object {
	switch k {
	case kindRelease:
		return &v1alpha1.Release{}
	case kindPolicy:
		return &v1alpha1.ApprovalPolicy{}
	case kindDeployment:
		return &appsv1.Deployment{}
	case kindPod:
		return &corev1.Pod{}
	case kindService:
		return &corev1.Service{}
	case kindSlice:
		return &discoveryv1.EndpointSlice{}
	case kindConfigMap:
		return &corev1.ConfigMap{}
	case kindSecret:
		return &corev1.Secret{}
	case kindBudget:
		return &policyv1.PodDisruptionBudget{}
	case kindJob:
		return &batchv1.Job{}
	case kindRecord:
		return &appsv1.ControllerRevision{}
	}
	panic("no such kind")
}

// copyInto fills a caller's object with a stored one.
func copyInto(from, to client.Object) {
	if m, is := to.(*metav1.PartialObjectMetadata); is {
		m.ObjectMeta = metav1.ObjectMeta{
			Namespace: from.GetNamespace(), Name: from.GetName(), UID: from.GetUID(), ResourceVersion: from.GetResourceVersion(),
			Labels: maps.Clone(from.GetLabels()), DeletionTimestamp: from.GetDeletionTimestamp(),
		}
		return
	}
	switch from := from.(type) {
	case *v1alpha1.Release:
		from.DeepCopyInto(to.(*v1alpha1.Release))
	case *v1alpha1.ApprovalPolicy:
		from.DeepCopyInto(to.(*v1alpha1.ApprovalPolicy))
	case *appsv1.Deployment:
		from.DeepCopyInto(to.(*appsv1.Deployment))
	case *corev1.Pod:
		from.DeepCopyInto(to.(*corev1.Pod))
	case *corev1.Service:
		from.DeepCopyInto(to.(*corev1.Service))
	case *discoveryv1.EndpointSlice:
		from.DeepCopyInto(to.(*discoveryv1.EndpointSlice))
	case *corev1.ConfigMap:
		from.DeepCopyInto(to.(*corev1.ConfigMap))
	case *corev1.Secret:
		from.DeepCopyInto(to.(*corev1.Secret))
	case *policyv1.PodDisruptionBudget:
		from.DeepCopyInto(to.(*policyv1.PodDisruptionBudget))
	case *batchv1.Job:
		from.DeepCopyInto(to.(*batchv1.Job))
	case *appsv1.ControllerRevision:
		from.DeepCopyInto(to.(*appsv1.ControllerRevision))
	}
}

// listKind is the kind of a list's items.
func listKind(l client.ObjectList) kind {
	switch l.(type) {
	case *v1alpha1.ReleaseList:
		return kindRelease
	case *v1alpha1.ApprovalPolicyList:
		return kindPolicy
	case *appsv1.DeploymentList:
		return kindDeployment
	case *corev1.PodList:
		return kindPod
	case *corev1.ServiceList:
		return kindService
	case *discoveryv1.EndpointSliceList:
		return kindSlice
	case *policyv1.PodDisruptionBudgetList:
		return kindBudget
	case *batchv1.JobList:
		return kindJob
	case *appsv1.ControllerRevisionList:
		return kindRecord
	case *metav1.PartialObjectMetadataList:
		return configKind(v1alpha1.ConfigKind(strings.TrimSuffix(l.GetObjectKind().GroupVersionKind().Kind, "List")))
	}
	panic(fmt.Sprintf("the model API server does not list %T", l))
}

// fill puts stored objects into a caller's list.
func fill(l client.ObjectList, found []client.Object) {
	switch l := l.(type) {
	case *v1alpha1.ReleaseList:
		l.Items = copies[v1alpha1.Release](found)
	case *v1alpha1.ApprovalPolicyList:
		l.Items = copies[v1alpha1.ApprovalPolicy](found)
	case *appsv1.DeploymentList:
		l.Items = copies[appsv1.Deployment](found)
	case *corev1.PodList:
		l.Items = copies[corev1.Pod](found)
	case *corev1.ServiceList:
		l.Items = copies[corev1.Service](found)
	case *discoveryv1.EndpointSliceList:
		l.Items = copies[discoveryv1.EndpointSlice](found)
	case *policyv1.PodDisruptionBudgetList:
		l.Items = copies[policyv1.PodDisruptionBudget](found)
	case *batchv1.JobList:
		l.Items = copies[batchv1.Job](found)
	case *appsv1.ControllerRevisionList:
		l.Items = copies[appsv1.ControllerRevision](found)
	case *metav1.PartialObjectMetadataList:
		l.Items = copies[metav1.PartialObjectMetadata](found)
	}
}

func copies[T any](found []client.Object) []T {
	out := make([]T, len(found))
	for i, o := range found {
		copyInto(o, any(&out[i]).(client.Object))
	}
	return out
}

// shelf keeps the objects of one kind. The objects are never changed in place.
type shelf map[types.NamespacedName]client.Object

// sorted are the objects in the order of their names, so that nothing depends
// on the order of a map.
func (s shelf) sorted(keep func(client.Object) bool) []client.Object {
	out := make([]client.Object, 0, len(s))
	for _, o := range s {
		if keep == nil || keep(o) {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b client.Object) int {
		if c := strings.Compare(a.GetNamespace(), b.GetNamespace()); c != 0 {
			return c
		}
		return strings.Compare(a.GetName(), b.GetName())
	})
	return out
}
