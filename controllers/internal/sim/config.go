// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"fmt"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/snapshot"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// What the application is configured with, in lives where it is. The Secret is
// optional.
var (
	settings = v1alpha1.ConfigRef{Kind: v1alpha1.ConfigMap, Name: "settings"}
	password = v1alpha1.ConfigRef{Kind: v1alpha1.Secret, Name: "password"}
)

// configured tells whether the application takes configuration in this life.
func (s *sim) configured() bool { return s.seed%3 == 0 }

func (s *sim) template(image string) corev1.PodTemplateSpec {
	t := template(image)
	if !s.configured() {
		return t
	}
	t.Spec.Containers[0].EnvFrom = []corev1.EnvFromSource{
		{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: settings.Name}}},
		{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: password.Name}, Optional: ptr(true)}},
	}
	return t
}

func configKind(k v1alpha1.ConfigKind) kind {
	if k == v1alpha1.Secret {
		return kindSecret
	}
	return kindConfigMap
}

func configKey(ref v1alpha1.ConfigRef) key {
	return key{configKind(ref.Kind), types.NamespacedName{Namespace: namespace, Name: ref.Name}}
}

// valueOf is what an object holds; ok is false when there is none.
func (s *sim) valueOf(ref v1alpha1.ConfigRef) (value string, ok bool) {
	switch o := s.server.get(configKey(ref)).(type) {
	case *corev1.ConfigMap:
		return o.Data["value"], true
	case *corev1.Secret:
		return string(o.Data["value"]), true
	}
	return "", false
}

// setConfig writes an object as it is in somebody's Git.
func (s *sim) setConfig(actor string, ref v1alpha1.ConfigRef, value string) {
	meta := metav1.ObjectMeta{Namespace: namespace, Name: ref.Name}
	var o client.Object = &corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{"value": value}}
	if ref.Kind == v1alpha1.Secret {
		o = &corev1.Secret{ObjectMeta: meta, Data: map[string][]byte{"value": []byte(value)}}
	}
	var err error
	if s.server.get(configKey(ref)) == nil {
		_, err = s.server.create(actor, o)
	} else {
		_, err = s.server.update(actor, o)
	}
	s.must(err)
}

// beginConfig puts there what the application needs, mostly.
func (s *sim) beginConfig() {
	if !s.configured() {
		return
	}
	s.configure()
	if s.server.get(configKey(settings)) == nil && s.rng.IntN(10) > 0 {
		s.setConfig(dave.name, settings, "first")
	}
}

// configure: somebody changes a ConfigMap or Secret, at times back to what it
// was, or takes it away. Nobody asks who it was.
func (s *sim) configure() {
	if !s.configured() {
		return
	}
	ref := pick(s, []v1alpha1.ConfigRef{settings, settings, password})
	s.seen.add("configurations changed")
	if n := s.rng.IntN(8); n > 0 {
		s.setConfig(pick(s, []user{dave, alice, mallory}).name, ref, fmt.Sprint("value-", n%4))
	} else if s.server.get(configKey(ref)) != nil {
		s.must(s.server.remove(mallory.name, configKey(ref), nil))
	}
}

// mendConfig brings back what the operator's messages say is missing.
func (s *sim) mendConfig() {
	if s.configured() && s.server.get(configKey(settings)) == nil {
		s.setConfig(dave.name, settings, "mended")
	}
}

// spoilCopies: somebody who is past the guards deletes copies, or puts something
// else in their place.
func (s *sim) spoilCopies() {
	if !s.configured() {
		return
	}
	for _, k := range []kind{kindConfigMap, kindSecret} {
		for _, o := range s.server.shelves[k].sorted(labelled) {
			if s.rng.IntN(3) > 0 {
				continue
			}
			s.must(s.server.remove(intruder, keyOf(o), nil))
			s.seen.add("copies spoilt")
			if cm, is := o.(*corev1.ConfigMap); is && s.rng.IntN(2) == 0 {
				next := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: cm.Name, Labels: cm.Labels}, Data: map[string]string{"value": "spoilt"}}
				_, err := s.server.create(intruder, next)
				s.must(err)
			}
		}
	}
}

// spoilInTheCalm: nothing else is amiss, so that the copies have to be restored.
func (s *sim) spoilInTheCalm() {
	if !s.configured() {
		return
	}
	s.spoilCopies()
	s.rest("after copies were spoilt")
	if stalled := conditionOf(&s.release().Status, v1alpha1.ConditionStalled); stalled != nil {
		s.violate("I12", "copies are not restored, though their originals are there: %s", stalled.Message)
	}
}

// canStart tells whether a Pod finds what its environment is made of.
func (s *sim) canStart(p *corev1.Pod) bool {
	for _, source := range snapshot.Sources(corev1.PodTemplateSpec{Spec: p.Spec}) {
		if _, there := s.valueOf(source.ConfigRef); !there && source.Required != "" {
			return false
		}
	}
	return true
}

// referencesOf are what a Deployment's Pods take their environment from.
func referencesOf(d *appsv1.Deployment) (refs []v1alpha1.ConfigRef) {
	if d == nil {
		return nil
	}
	for _, source := range snapshot.Sources(d.Spec.Template) {
		refs = append(refs, source.ConfigRef)
	}
	return refs
}

// guardConfig is a model of config-guard.
func guardConfig(actor string, before, after client.Object) string {
	ours := isOurs(before) || isOurs(after)
	switch {
	case ours && !isOperator(actor):
		return "a copy is the operator's"
	case isOperator(actor) && (before == nil && !isOurs(after) || before != nil && !isOurs(before)):
		return "the operator writes copies only"
	}
	return ""
}

// neverChanges refuses what the API server refuses of immutable objects.
func neverChanges(have, next client.Object) bool {
	switch have := have.(type) {
	case *corev1.ConfigMap:
		return have.Immutable != nil && *have.Immutable && fmt.Sprint(have.Data) != fmt.Sprint(next.(*corev1.ConfigMap).Data)
	case *corev1.Secret:
		return have.Immutable != nil && *have.Immutable && fmt.Sprint(have.Data) != fmt.Sprint(next.(*corev1.Secret).Data)
	}
	return false
}
