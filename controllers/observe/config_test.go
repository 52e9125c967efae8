// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package observe_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/digest"
	"github.com/countersign/countersign/controllers/observe"
	"github.com/countersign/countersign/controllers/receipt"
	"github.com/countersign/countersign/controllers/rollout"
	contents "github.com/countersign/countersign/controllers/snapshot"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var key = bytes.Repeat([]byte{1}, contents.KeySize)

// configured refers to ConfigMap settings and, optionally, to Secret password.
func configured() *v1alpha1.Release {
	rel := release()
	ref := func(name string) corev1.LocalObjectReference { return corev1.LocalObjectReference{Name: name} }
	rel.Spec.Template.Spec.Containers[0].EnvFrom = []corev1.EnvFromSource{
		{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: ref("settings")}},
		{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: ref("password"), Optional: new(true)}},
	}
	return rel
}

func configMap(name, value string, labels ...string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: meta(name, labels...), Data: map[string]string{"value": value}}
}

func secret(name, value string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: meta(name), Data: map[string][]byte{"value": []byte(value)}}
}

func observer(cache, live client.Reader, memory *observe.Memory, key []byte) observe.Observer {
	return observe.Observer{Client: cache, Live: live, Verifier: receipt.NewVerifier(), Hasher: contents.NewHasher(key), Memory: memory, Cluster: "c1"}
}

func look(t *testing.T, o observe.Observer, rel *v1alpha1.Release) rollout.Snapshot {
	t.Helper()
	s, err := o.Snapshot(t.Context(), rel, nil, noon)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConfigIsContent(t *testing.T) {
	r := newReader(t, configMap("settings", "one"), secret("password", "p"))
	o := observer(r, r, &observe.Memory{}, key)
	one := look(t, o, configured())
	spec, err := digest.Revision(configured().Spec)
	if err != nil || one.SpecRevision != spec || one.Revision == spec || len(one.Config.Missing) > 0 {
		t.Fatalf("the revision is %s of the spec %s, %v; missing: %v", one.Revision, one.SpecRevision, err, one.Config.Missing)
	}
	if w := one.Config.Wanted; len(w) != 2 || w[0].Name != "settings" || w[1].Name != "password" || w[1].Absent {
		t.Fatalf("it wants %+v", w)
	}
	for _, change := range []client.Object{configMap("settings", "two"), secret("password", "q")} {
		if err := r.Update(t.Context(), change); err != nil {
			t.Fatal(err)
		}
		if s := look(t, o, configured()); s.Revision == one.Revision || s.SpecRevision != one.SpecRevision {
			t.Errorf("%s was changed, and the revision is %s", change.GetName(), s.Revision)
		}
	}
	if s := look(t, o, release()); s.Revision != s.SpecRevision {
		t.Error("without configuration the revision is not the spec's")
	}
}

// What did not change is not read again, and nothing that is not referred to is
// read at all.
func TestConfigIsReadOnce(t *testing.T) {
	r := newReader(t, configMap("settings", "one"), secret("password", "p"), secret("other", "o"))
	o := observer(r, r, &observe.Memory{}, key)
	look(t, o, configured())
	if r.read["ConfigMap"] != 1 || r.read["Secret"] != 1 {
		t.Fatalf("at first it reads %v", r.read)
	}
	look(t, o, configured())
	if r.read["ConfigMap"] != 1 || r.read["Secret"] != 1 {
		t.Errorf("nothing changed, and it reads %v", r.read)
	}
	if err := r.Update(t.Context(), configMap("settings", "two")); err != nil {
		t.Fatal(err)
	}
	look(t, o, configured())
	if r.read["ConfigMap"] != 2 || r.read["Secret"] != 1 {
		t.Errorf("the ConfigMap changed, and it reads %v", r.read)
	}
	if err := r.Delete(t.Context(), configMap("settings", "")); err != nil {
		t.Fatal(err)
	}
	if err := r.Create(t.Context(), configMap("settings", "three")); err != nil {
		t.Fatal(err)
	}
	look(t, o, configured())
	if r.read["ConfigMap"] != 3 {
		t.Errorf("the ConfigMap was made anew, and it reads %v", r.read)
	}
}

// The cache lags, and does not hold everything: what it lacks is asked live.
func TestConfigThatTheCacheLacks(t *testing.T) {
	cache, live := newReader(t), newReader(t, configMap("settings", "one"))
	s := look(t, observer(cache, live, nil, key), configured())
	if len(s.Config.Missing) > 0 || s.Config.Wanted[0].Absent || !s.Config.Wanted[1].Absent {
		t.Errorf("it sees %+v", s.Config)
	}
	s = look(t, observer(newReader(t, configMap("settings", "one")), newReader(t), nil, key), configured())
	if len(s.Config.Missing) != 1 || !strings.Contains(s.Config.Missing[0], "ConfigMap settings does not exist") {
		t.Errorf("it is gone, and the cache does not know: %+v", s.Config)
	}
}

func TestCopies(t *testing.T) {
	settings := configMap("settings", "one")
	r := newReader(t, settings)
	wanted := look(t, observer(r, r, nil, key), configured()).Config.Wanted[0].Copy
	unused := "shop-settings-" + strings.Repeat("0", 32)
	rel := configured()
	rel.Status.Former = &v1alpha1.FormerStatus{Content: v1alpha1.Content{Config: []v1alpha1.ConfigCopy{{Kind: v1alpha1.ConfigMap, Name: "settings", Copy: "former", Hash: "h"}}}}
	r = newReader(t, settings, configMap(wanted, "one", v1alpha1.ReleaseLabel, "shop"), configMap(unused, "", v1alpha1.ReleaseLabel, "shop", v1alpha1.UnusedLabel, "true"),
		configMap("former", "zero"), configMap("own", "", v1alpha1.ReleaseLabel, "shop"), configMap("shop-x-"+strings.Repeat("1", 32), "", v1alpha1.ReleaseLabel, "other"))
	s := look(t, observer(r, r, nil, key), rel)
	got := map[string]rollout.Copy{}
	for _, c := range s.Config.Copies {
		got[c.Name] = c
	}
	if len(got) != 3 {
		t.Errorf("the copies are %+v, want those of the spec, of the former, and the unused one", got)
	}
	if c := got[wanted]; c.Foreign || c.Unused || c.Hash != s.Config.Wanted[0].Hash || c.ResourceVersion == "" {
		t.Errorf("the one that is wanted is %+v", c)
	}
	if c := got[unused]; c.Foreign || !c.Unused || c.Hash != "" {
		t.Errorf("the unused one is %+v", c)
	}
	if c := got["former"]; !c.Foreign || c.Hash != "" {
		t.Errorf("somebody else's in the place of one is %+v", c)
	}
}

// denied refuses to show what Secrets hold, but not that they are there.
type denied struct{ client.Reader }

func (d denied) Get(ctx context.Context, name client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	if _, is := o.(*corev1.Secret); is {
		return apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, name.Name, nil)
	}
	return d.Reader.Get(ctx, name, o, opts...)
}

// What cannot be read holds a promotion back, and is no error: a rollback needs
// none of it.
func TestSecretsThatCannotBeRead(t *testing.T) {
	for name, o := range map[string]func(*reader) observe.Observer{
		"sec/62 no key":    func(r *reader) observe.Observer { return observer(r, r, nil, nil) },
		"sec/62 no rights": func(r *reader) observe.Observer { return observer(r, denied{r}, nil, key) },
	} {
		t.Run(name, func(t *testing.T) {
			copied := secret("copied", "p")
			copied.Labels[v1alpha1.ReleaseLabel] = "shop"
			rel := configured()
			rel.Status.Active = &v1alpha1.ActiveStatus{Content: v1alpha1.Content{Config: []v1alpha1.ConfigCopy{{Kind: v1alpha1.Secret, Name: "password", Copy: "copied", Hash: "h"}}}}
			s := look(t, o(newReader(t, configMap("settings", "one"), secret("password", "p"), copied)), rel)
			if len(s.Config.Missing) != 1 || !strings.Contains(s.Config.Missing[0], "Secret password, to which the template refers, cannot be read") {
				t.Errorf("missing: %v", s.Config.Missing)
			}
			if c := s.Config.Copies; len(c) != 1 || !c[0].Unread || c[0].Hash != "" {
				t.Errorf("the copies are %+v", c)
			}
		})
	}
}
