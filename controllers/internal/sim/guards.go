// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// intruder writes past every guard, as somebody does who can reach etcd.
const intruder = "intruder"

// parts of Kubernetes that carry Deployments out.
func isController(actor string) bool {
	switch actor {
	case "deployment-controller", "endpoint-controller", "garbage-collector", "kubelet", "node", jobController:
		return true
	}
	return false
}

// guards is a model of the admission policies in config/policy.
func (s *sim) guards(actor string, before, after client.Object) error {
	if !s.weather.guards || actor == intruder || isController(actor) {
		return nil
	}
	o := after
	if o == nil {
		o = before
	}
	var why string
	switch o.(type) {
	case *v1alpha1.Release:
		why = guardRelease(actor, before, after)
	case *corev1.Service:
		why = guardService(actor, before, after)
	case *corev1.ConfigMap, *corev1.Secret:
		why = guardConfig(actor, before, after)
	case *batchv1.Job:
		why = unless(isOperator(actor) || !isOurs(before) && !isOurs(after), "a check is the operator's to run")
	case *appsv1.Deployment:
		if !isOperator(actor) && (isOurs(before) || isOurs(after)) {
			why = "what runs is what was approved"
		}
	}
	if why == "" {
		return nil
	}
	s.seen.add("refused by a guard")
	return apierrors.NewForbidden(keyOf(o).kind.resource(), o.GetName(), fmt.Errorf("%s: %s", actor, why))
}

func isOurs(o client.Object) bool { return o != nil && labelled(o) }

// guardRelease: the operator writes the status and its finalizer, and nobody
// else the status.
func guardRelease(actor string, before, after client.Object) string {
	if before == nil || after == nil {
		return ""
	}
	was, now := before.(*v1alpha1.Release), after.(*v1alpha1.Release)
	switch {
	case !isOperator(actor) && !equality.Semantic.DeepEqual(was.Status, now.Status):
		return "only the operator writes the status"
	case isOperator(actor) && !equality.Semantic.DeepEqual(was.Spec, now.Spec):
		return "the operator does not write the spec"
	case isOperator(actor) && !maps.Equal(was.Annotations, now.Annotations):
		return "the operator does not vote"
	}
	return ""
}

func guardService(actor string, before, after client.Object) string {
	switch {
	case !isOurs(before) && !isOurs(after):
		return ""
	case before == nil:
		return unless(isOperator(actor), "only the operator creates it")
	case after == nil:
		return unless(isOperator(actor) || before.GetLabels()[v1alpha1.RoleLabel] == v1alpha1.RolePreview || before.GetLabels()[v1alpha1.DeletableLabel] != "", "it carries traffic")
	}
	was, now := before.(*corev1.Service), after.(*corev1.Service)
	if !isOperator(actor) {
		same := maps.Equal(was.Spec.Selector, now.Spec.Selector) && equality.Semantic.DeepEqual(was.Spec.Ports, now.Spec.Ports) &&
			was.Labels[v1alpha1.ReleaseLabel] == now.Labels[v1alpha1.ReleaseLabel] && was.Labels[v1alpha1.RoleLabel] == now.Labels[v1alpha1.RoleLabel] &&
			epochText(was) == epochText(now)
		return unless(same, "selector, ports, our labels and epoch are the operator's")
	}
	return guardEpoch(was, now)
}

// guardEpoch: a selector changes only with an epoch that grows.
func guardEpoch(was, now *corev1.Service) string {
	oldEpoch, oldOK := number(epochText(was))
	newEpoch, newOK := number(epochText(now))
	changed := !maps.Equal(was.Spec.Selector, now.Spec.Selector)
	parked := now.Spec.Selector[v1alpha1.ColourLabel] == v1alpha1.ColourNone && len(now.Spec.Selector) == 2
	switch {
	case !isOurs(was) && !newOK:
		return "claimed without an epoch"
	case !isOurs(was) && changed && !parked && newEpoch == 0:
		return "claimed and led to a colour before the first switch"
	case !isOurs(was) || !isOurs(now):
		return ""
	case changed && was.Labels[v1alpha1.RoleLabel] != v1alpha1.RolePreview &&
		!(oldOK && newOK && newEpoch > oldEpoch) && !(parked && epochText(was) == "0" && epochText(now) == "0"):
		return fmt.Sprintf("the selector changes and the epoch goes from %s to %s", epochText(was), epochText(now))
	case epochText(was) != epochText(now) && !(newOK && (epochText(was) == "" || oldOK && newEpoch > oldEpoch)):
		return fmt.Sprintf("the epoch goes from %s to %s", epochText(was), epochText(now))
	case was.Labels[v1alpha1.RoleLabel] != now.Labels[v1alpha1.RoleLabel]:
		return "the role changes"
	}
	return ""
}

func epochText(svc *corev1.Service) string { return svc.Annotations[v1alpha1.EpochAnnotation] }

func number(s string) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && n >= 0 && !strings.HasPrefix(s, "+") && len(s) <= 18
}

func unless(ok bool, why string) string {
	if ok {
		return ""
	}
	return why
}
