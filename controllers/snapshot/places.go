// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"fmt"

	"github.com/countersign/countersign/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
)

// place is where a template refers to an object.
type place struct {
	kind v1alpha1.ConfigKind
	// name is in the template itself, so that it can be rewritten.
	name *string
	// keys that the object has to have.
	keys []string
	// optional tells that the Pod starts without it.
	optional bool
	// field names the place for people.
	field string
}

// visit calls f for every place of a Pod's spec at a field, in the order of the
// template. Reading and rewriting both go by it, so that neither knows a place
// that the other does not.
func visit(pod *corev1.PodSpec, at string, f func(place)) {
	for _, list := range []struct {
		name       string
		containers []corev1.Container
	}{{"initContainers", pod.InitContainers}, {"containers", pod.Containers}} {
		for i := range list.containers {
			c := &list.containers[i]
			visitContainer(c, fmt.Sprintf("%s.%s[name=%s]", at, list.name, c.Name), f)
		}
	}
	for i := range pod.Volumes {
		v := &pod.Volumes[i]
		visitVolume(v, fmt.Sprintf("%s.volumes[name=%s]", at, v.Name), f)
	}
}

func visitContainer(c *corev1.Container, at string, f func(place)) {
	for i := range c.EnvFrom {
		e := &c.EnvFrom[i]
		if r := e.ConfigMapRef; r != nil {
			f(place{v1alpha1.ConfigMap, &r.Name, nil, isTrue(r.Optional), at + ".envFrom"})
		}
		if r := e.SecretRef; r != nil {
			f(place{v1alpha1.Secret, &r.Name, nil, isTrue(r.Optional), at + ".envFrom"})
		}
	}
	for i := range c.Env {
		e := &c.Env[i]
		if e.ValueFrom == nil {
			continue
		}
		field := fmt.Sprintf("%s.env[name=%s]", at, e.Name)
		if r := e.ValueFrom.ConfigMapKeyRef; r != nil {
			f(place{v1alpha1.ConfigMap, &r.Name, []string{r.Key}, isTrue(r.Optional), field})
		}
		if r := e.ValueFrom.SecretKeyRef; r != nil {
			f(place{v1alpha1.Secret, &r.Name, []string{r.Key}, isTrue(r.Optional), field})
		}
	}
}

func visitVolume(v *corev1.Volume, at string, f func(place)) {
	if r := v.ConfigMap; r != nil {
		f(place{v1alpha1.ConfigMap, &r.Name, keysOf(r.Items), isTrue(r.Optional), at})
	}
	if r := v.Secret; r != nil {
		f(place{v1alpha1.Secret, &r.SecretName, keysOf(r.Items), isTrue(r.Optional), at})
	}
	if v.Projected == nil {
		return
	}
	for i := range v.Projected.Sources {
		s := &v.Projected.Sources[i]
		if r := s.ConfigMap; r != nil {
			f(place{v1alpha1.ConfigMap, &r.Name, keysOf(r.Items), isTrue(r.Optional), at})
		}
		if r := s.Secret; r != nil {
			f(place{v1alpha1.Secret, &r.Name, keysOf(r.Items), isTrue(r.Optional), at})
		}
	}
}

func keysOf(items []corev1.KeyToPath) (keys []string) {
	for _, item := range items {
		keys = append(keys, item.Key)
	}
	return keys
}

func isTrue(b *bool) bool { return b != nil && *b }
