// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"
)

func hasher() Hasher { return NewHasher(bytes.Repeat([]byte{7}, KeySize)) }

func TestHash(t *testing.T) {
	h := hasher()
	secret := func(data map[string][]byte) string {
		sum, err := h.Secret(&corev1.Secret{Data: data})
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	seen := map[string]string{}
	for name, sum := range map[string]string{
		"nothing":            h.ConfigMap(&corev1.ConfigMap{}),
		"an entry":           h.ConfigMap(&corev1.ConfigMap{Data: map[string]string{"a": "b"}}),
		"an empty entry":     h.ConfigMap(&corev1.ConfigMap{Data: map[string]string{"ab": ""}}),
		"split otherwise":    h.ConfigMap(&corev1.ConfigMap{Data: map[string]string{"": "ab"}}),
		"binary":             h.ConfigMap(&corev1.ConfigMap{BinaryData: map[string][]byte{"a": []byte("b")}}),
		"two entries":        h.ConfigMap(&corev1.ConfigMap{Data: map[string]string{"a": "b", "c": "d"}}),
		"entries exchanged":  h.ConfigMap(&corev1.ConfigMap{Data: map[string]string{"a": "d", "c": "b"}}),
		"half of it binary":  h.ConfigMap(&corev1.ConfigMap{Data: map[string]string{"a": "b"}, BinaryData: map[string][]byte{"c": []byte("d")}}),
		"a Secret":           secret(map[string][]byte{"a": []byte("b")}),
		"an empty Secret":    secret(nil),
		"a Secret otherwise": secret(map[string][]byte{"a": []byte("c")}),
	} {
		if other, taken := seen[sum]; taken {
			t.Errorf("%s and %s have the same hash", name, other)
		}
		seen[sum] = name
	}
	named := &corev1.ConfigMap{Data: map[string]string{"a": "b"}}
	named.Name, named.Labels, named.Immutable = "x", map[string]string{"l": "m"}, new(true)
	if seen[h.ConfigMap(named)] != "an entry" {
		t.Error("the hash is of more than the data")
	}
}

// The hash of a Secret is of no use without the key, and there is none without.
func TestSecretsNeedAKey(t *testing.T) {
	s := &corev1.Secret{Data: map[string][]byte{"password": []byte("1234")}}
	for _, key := range [][]byte{nil, {}, make([]byte, KeySize-1)} {
		if sum, err := NewHasher(key).Secret(s); sum != "" || !errors.Is(err, ErrNoKey{}) {
			t.Errorf("a key of %d bytes: %q, %v", len(key), sum, err)
		}
	}
	a, errA := hasher().Secret(s)
	b, errB := NewHasher(bytes.Repeat([]byte{8}, KeySize)).Secret(s)
	if errA != nil || errB != nil || a == b || !strings.HasPrefix(a, "hmac-sha256:") {
		t.Errorf("%s and %s, %v, %v", a, b, errA, errB)
	}
}

// Contents that differ have hashes that differ.
func TestHashTellsContentsApart(t *testing.T) {
	text := rapid.StringMatching(`[ab]{0,2}`)
	anyMap := func(t *rapid.T) *corev1.ConfigMap {
		c := &corev1.ConfigMap{Data: rapid.MapOfN(text, text, 0, 2).Draw(t, "data"), BinaryData: map[string][]byte{}}
		for k, v := range rapid.MapOfN(text, text, 0, 2).Draw(t, "binary") {
			c.BinaryData[k] = []byte(v)
		}
		return c
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyMap(t), anyMap(t)
		same := maps.Equal(a.Data, b.Data) && reflect.DeepEqual(a.BinaryData, b.BinaryData)
		if (hasher().ConfigMap(a) == hasher().ConfigMap(b)) != same {
			t.Fatalf("%v and %v: the same is %t", a, b, same)
		}
	})
}

// Rewritten to copies, a template refers to the copies of what it referred to,
// at the same places, and nothing else of it changed.
func TestRewritingKeepsReferences(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		template := pod(func(p *corev1.PodSpec) {
			for range rapid.IntRange(0, 8).Draw(t, "references") {
				addReference(t, p)
			}
		})
		before, original := Sources(template), template.DeepCopy()
		var there, back []v1alpha1.ConfigCopy
		for _, s := range before {
			n := CopyName(Owner{"prod", "shop", "u"}, s.ConfigRef, "h")
			there = append(there, v1alpha1.ConfigCopy{Kind: s.Kind, Name: s.Name, Copy: n})
			back = append(back, v1alpha1.ConfigCopy{Kind: s.Kind, Name: n, Copy: s.Name})
		}
		Rewrite(&template, there)
		for _, s := range Sources(template) {
			if !IsCopyName("shop", s.Name) {
				t.Fatalf("it still refers to %v", s)
			}
		}
		if len(Sources(template)) != len(before) {
			t.Fatalf("it referred to %v, and refers to %v", before, Sources(template))
		}
		Rewrite(&template, back)
		if !reflect.DeepEqual(&template, original) {
			t.Fatalf("there and back, it is %v, and was %v", template, original)
		}
	})
}

func addReference(t *rapid.T, p *corev1.PodSpec) {
	name := rapid.SampledFrom([]string{"a", "b", "c", "shop-a"}).Draw(t, "name")
	optional := rapid.SampledFrom([]*bool{nil, new(false), new(true)}).Draw(t, "optional")
	c := &p.Containers[0]
	if rapid.Bool().Draw(t, "init") {
		c = &p.InitContainers[0]
	}
	volume := corev1.Volume{Name: fmt.Sprint("v", len(p.Volumes))}
	switch rapid.IntRange(0, 7).Draw(t, "kind") {
	case 0:
		c.EnvFrom = append(c.EnvFrom, corev1.EnvFromSource{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: named(name), Optional: optional}})
	case 1:
		c.EnvFrom = append(c.EnvFrom, corev1.EnvFromSource{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: named(name), Optional: optional}})
	case 2:
		c.Env = append(c.Env, corev1.EnvVar{Name: "E", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: named(name), Key: "k", Optional: optional}}})
	case 3:
		c.Env = append(c.Env, corev1.EnvVar{Name: "E", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: named(name), Key: "k", Optional: optional}}})
	case 4:
		volume.ConfigMap = &corev1.ConfigMapVolumeSource{LocalObjectReference: named(name), Optional: optional}
	case 5:
		volume.Secret = &corev1.SecretVolumeSource{SecretName: name, Optional: optional}
	case 6:
		volume.Projected = &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: named(name), Optional: optional}}}}
	case 7:
		p.ImagePullSecrets = append(p.ImagePullSecrets, named(name)) // not a reference: it has to stay as it is
	}
	p.Volumes = append(p.Volumes, volume)
}
