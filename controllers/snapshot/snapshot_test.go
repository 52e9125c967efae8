// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
)

func named(name string) corev1.LocalObjectReference { return corev1.LocalObjectReference{Name: name} }

func pod(change func(*corev1.PodSpec)) corev1.PodTemplateSpec {
	t := corev1.PodTemplateSpec{Spec: corev1.PodSpec{
		InitContainers: []corev1.Container{{Name: "init"}}, Containers: []corev1.Container{{Name: "app"}}, Volumes: []corev1.Volume{{Name: "v"}},
	}}
	change(&t.Spec)
	return t
}

// Every kind of reference, and what it says when the object, or a key of it, is
// not there.
func TestReferences(t *testing.T) {
	configMap, secret := v1alpha1.ConfigRef{Kind: v1alpha1.ConfigMap, Name: "x"}, v1alpha1.ConfigRef{Kind: v1alpha1.Secret, Name: "x"}
	key := []corev1.KeyToPath{{Key: "k", Path: "p"}}
	rows := map[string]struct {
		set   func(*corev1.PodSpec)
		want  v1alpha1.ConfigRef
		field string
		keys  bool
	}{
		"EnvFromConfigMap": {set: func(p *corev1.PodSpec) {
			p.Containers[0].EnvFrom = []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: named("x")}}}
		}, want: configMap, field: "spec.template.spec.containers[name=app].envFrom"},
		"EnvFromSecret": {set: func(p *corev1.PodSpec) {
			p.InitContainers[0].EnvFrom = []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: named("x")}}}
		}, want: secret, field: "spec.template.spec.initContainers[name=init].envFrom"},
		"EnvConfigMap": {set: func(p *corev1.PodSpec) {
			p.Containers[0].Env = []corev1.EnvVar{{Name: "E", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: named("x"), Key: "k"}}}}
		}, want: configMap, field: "spec.template.spec.containers[name=app].env[name=E]", keys: true},
		"EnvSecret": {set: func(p *corev1.PodSpec) {
			p.Containers[0].Env = []corev1.EnvVar{{Name: "E", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: named("x"), Key: "k"}}}}
		}, want: secret, field: "spec.template.spec.containers[name=app].env[name=E]", keys: true},
		"VolumeConfigMap": {set: func(p *corev1.PodSpec) {
			p.Volumes[0].ConfigMap = &corev1.ConfigMapVolumeSource{LocalObjectReference: named("x"), Items: key}
		}, want: configMap, field: "spec.template.spec.volumes[name=v]", keys: true},
		"VolumeSecret": {set: func(p *corev1.PodSpec) {
			p.Volumes[0].Secret = &corev1.SecretVolumeSource{SecretName: "x", Items: key}
		}, want: secret, field: "spec.template.spec.volumes[name=v]", keys: true},
		"ProjectedConfigMap": {set: func(p *corev1.PodSpec) {
			p.Volumes[0].Projected = &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: named("x"), Items: key}}}}
		}, want: configMap, field: "spec.template.spec.volumes[name=v]", keys: true},
		"ProjectedSecret": {set: func(p *corev1.PodSpec) {
			p.Volumes[0].Projected = &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{}, {Secret: &corev1.SecretProjection{LocalObjectReference: named("x"), Items: key}}}}
		}, want: secret, field: "spec.template.spec.volumes[name=v]", keys: true},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			template := pod(row.set)
			sources := Sources(template)
			if len(sources) != 1 || sources[0].ConfigRef != row.want || sources[0].Required != row.field {
				t.Fatalf("it refers to %+v, want %v at %s", sources, row.want, row.field)
			}
			wantKeys := []Key(nil)
			if row.keys {
				wantKeys = []Key{{"k", row.field}}
			}
			if !slices.Equal(sources[0].Keys, wantKeys) {
				t.Errorf("it needs the keys %v, want %v", sources[0].Keys, wantKeys)
			}
			before := template.DeepCopy()
			Rewrite(&template, []v1alpha1.ConfigCopy{{Kind: row.want.Kind, Name: "x", Copy: "copy-of-x"}})
			if got := Sources(template); len(got) != 1 || got[0].Name != "copy-of-x" || got[0].Required != row.field {
				t.Errorf("rewritten, it refers to %+v", got)
			}
			Rewrite(&template, []v1alpha1.ConfigCopy{{Kind: row.want.Kind, Name: "copy-of-x", Copy: "x"}})
			if !reflect.DeepEqual(&template, before) {
				t.Error("rewriting changed something else, or does not come back")
			}
			setOptional(reflect.ValueOf(&template.Spec))
			if got := Sources(template); len(got) != 1 || got[0].Required != "" || len(got[0].Keys) > 0 {
				t.Errorf("optional, it refers to %+v", got)
			}
		})
	}
}

// setOptional sets every field Optional that there is.
func setOptional(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			setOptional(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			setOptional(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Name == "Optional" && v.Field(i).Type() == reflect.TypeFor[*bool]() {
				v.Field(i).Set(reflect.ValueOf(new(true)))
			} else if v.Field(i).CanSet() {
				setOptional(v.Field(i))
			}
		}
	}
}

// The places of a Pod that name a Secret or ConfigMap are found by their types,
// so that one that a later Kubernetes adds is decided about: it is a reference,
// or it is on this list, for which doc.go gives the reasons.
func TestEveryPlaceIsDecidedAbout(t *testing.T) {
	const volume = "PodSpec.Volumes.VolumeSource."
	not := map[string]bool{"PodSpec.ImagePullSecrets.Name": false, "PodSpec.EphemeralContainers": false}
	for _, path := range []string{
		"FlexVolume.SecretRef.Name", "CephFS.SecretRef.Name", "Cinder.SecretRef.Name", "RBD.SecretRef.Name", "ISCSI.SecretRef.Name",
		"ScaleIO.SecretRef.Name", "StorageOS.SecretRef.Name", "CSI.NodePublishSecretRef.Name", "AzureFile.SecretName",
	} {
		not[volume+path] = false
	}
	w := placeWalker{t: t, not: not}
	var template corev1.PodTemplateSpec
	w.walk(&template, reflect.ValueOf(&template.Spec).Elem(), "PodSpec", 0)
	for path, seen := range not {
		if !seen {
			t.Errorf("%s is on the list, but there is no such place", path)
		}
	}
	if w.references != 12 {
		t.Errorf("%d references were found, want 12: 4 of the environment for each kind of container, 4 of volumes", w.references)
	}
}

type placeWalker struct {
	t          *testing.T
	not        map[string]bool
	references int
}

func (w *placeWalker) walk(root *corev1.PodTemplateSpec, v reflect.Value, path string, depth int) {
	if _, listed := w.not[path]; listed {
		w.not[path] = true
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if depth < 12 && v.Type().Elem().Kind() == reflect.Struct {
			v.Set(reflect.New(v.Type().Elem()))
			w.walk(root, v.Elem(), path, depth+1)
			v.SetZero()
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		w.walk(root, v.Index(0), path, depth+1)
		v.SetZero()
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			next := path + "." + field.Name
			if field.Anonymous && field.Type == reflect.TypeFor[corev1.LocalObjectReference]() {
				next = path
			}
			if v.Field(i).CanSet() {
				w.walk(root, v.Field(i), next, depth+1)
			}
		}
	case reflect.String:
		if namesConfig(path) {
			w.reference(root, v, path)
		}
	}
}

// namesConfig goes by how the API calls such fields.
func namesConfig(path string) bool {
	parts := strings.Split(path, ".")
	last, parent := parts[len(parts)-1], ""
	if len(parts) > 1 {
		parent = parts[len(parts)-2]
	}
	of := func(s string) bool { return strings.Contains(s, "Secret") || strings.Contains(s, "ConfigMap") }
	return last == "Name" && of(parent) || last == "SecretName"
}

func (w *placeWalker) reference(root *corev1.PodTemplateSpec, v reflect.Value, path string) {
	v.SetString("x")
	defer v.SetString("")
	if len(Sources(*root)) != 1 {
		w.t.Errorf("%s names a ConfigMap or Secret and is neither a reference nor on the list", path)
	}
	w.references++
}

func TestSources(t *testing.T) {
	template := pod(func(p *corev1.PodSpec) {
		from := func(name string, optional bool) corev1.EnvFromSource {
			return corev1.EnvFromSource{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: named(name), Optional: &optional}}
		}
		p.Containers[0].EnvFrom = []corev1.EnvFromSource{
			from("b", true), from("a", true), from("b", false), from("", false),
			{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: named("b")}},
		}
	})
	var got []string
	for _, s := range Sources(template) {
		got = append(got, string(s.Kind)+" "+s.Name+" "+s.Required)
	}
	const at = "spec.template.spec.containers[name=app].envFrom"
	if want := []string{"ConfigMap a ", "ConfigMap b " + at, "Secret b " + at}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSplit(t *testing.T) {
	spec := v1alpha1.ReleaseSpec{Template: pod(func(p *corev1.PodSpec) {
		p.Containers[0].EnvFrom = []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: named("a")}}}
		p.Volumes[0].Secret = &corev1.SecretVolumeSource{SecretName: "a"}
	})}
	rows := map[string]struct {
		config       *v1alpha1.ConfigSpec
		copied, live int
	}{
		"Unset":    {nil, 2, 0},
		"Empty":    {&v1alpha1.ConfigSpec{}, 2, 0},
		"True":     {&v1alpha1.ConfigSpec{Snapshot: new(true)}, 2, 0},
		"False":    {&v1alpha1.ConfigSpec{Snapshot: new(false)}, 0, 2},
		"OneLive":  {&v1alpha1.ConfigSpec{Live: []v1alpha1.ConfigRef{{Kind: v1alpha1.Secret, Name: "a"}}}, 1, 1},
		"Elsewise": {&v1alpha1.ConfigSpec{Live: []v1alpha1.ConfigRef{{Kind: v1alpha1.Secret, Name: "b"}}}, 2, 0},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			spec.Config = row.config
			copied, live := Split(spec)
			if len(copied) != row.copied || len(live) != row.live {
				t.Errorf("copied %v, live %v", copied, live)
			}
		})
	}
}

func TestResolve(t *testing.T) {
	owner := Owner{"prod", "shop", "u"}
	a := v1alpha1.ConfigRef{Kind: v1alpha1.ConfigMap, Name: "a"}
	s := v1alpha1.ConfigRef{Kind: v1alpha1.Secret, Name: "s"}
	rows := map[string]struct {
		source Source
		found  *Found
		want   []string
		absent bool
	}{
		"There":       {source: Source{ConfigRef: a, Required: "f"}, found: &Found{Exists: true, Hash: "h"}},
		"Missing":     {source: Source{ConfigRef: a, Required: "f"}, found: &Found{Hash: "h"}, want: []string{"ConfigMap a does not exist, and f needs it", "kubectl create configmap a -n prod"}, absent: true},
		"NoSecret":    {source: Source{ConfigRef: s, Required: "f"}, found: &Found{Hash: "h"}, want: []string{"kubectl create secret generic s -n prod"}, absent: true},
		"Optional":    {source: Source{ConfigRef: a}, found: &Found{Hash: "h"}, absent: true},
		"NotRead":     {source: Source{ConfigRef: a}, want: []string{"what ConfigMap a holds is not known"}, absent: true},
		"NotRequired": {source: Source{ConfigRef: a, Required: "f"}, want: []string{"does not exist"}, absent: true},
		"NoHash":      {source: Source{ConfigRef: a, Required: "f"}, found: &Found{Exists: true}, want: []string{"is not known"}},
		"NoKey": {source: Source{ConfigRef: a, Required: "f", Keys: []Key{{"k", "f"}, {"l", "g"}}}, found: &Found{Exists: true, Hash: "h", Keys: []string{"k"}},
			want: []string{"ConfigMap a has no key l, and g needs it", "kubectl edit configmap a -n prod"}},
		"Denied": {source: Source{ConfigRef: s}, found: &Found{Denied: "no"}, want: []string{"Secret s", "cannot be read: no", "spec.config.live"}, absent: true},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			found := map[v1alpha1.ConfigRef]Found{}
			if row.found != nil {
				found[row.source.ConfigRef] = *row.found
			}
			copies, missing := Resolve(owner, []Source{row.source}, found)
			if len(copies) != 1 || copies[0].Absent != row.absent {
				t.Errorf("the copies are %+v", copies)
			}
			if (len(missing) > 0) != (len(row.want) > 0) {
				t.Fatalf("missing: %q, want %q", missing, row.want)
			}
			for _, part := range row.want {
				if !strings.Contains(missing[0], part) {
					t.Errorf("%q does not say %q", missing[0], part)
				}
			}
		})
	}
}

func TestCopyName(t *testing.T) {
	owner := Owner{"prod", "shop", "u"}
	ref := v1alpha1.ConfigRef{Kind: v1alpha1.ConfigMap, Name: "settings"}
	seen := map[string]string{}
	for name, n := range map[string]string{
		"as it is":          CopyName(owner, ref, "h"),
		"another namespace": CopyName(Owner{"test", "shop", "u"}, ref, "h"),
		"another Release":   CopyName(Owner{"prod", "shop-settings", "u"}, v1alpha1.ConfigRef{Kind: v1alpha1.ConfigMap, Name: "x"}, "h"),
		"made anew":         CopyName(Owner{"prod", "shop", "v"}, ref, "h"),
		"a Secret":          CopyName(owner, v1alpha1.ConfigRef{Kind: v1alpha1.Secret, Name: "settings"}, "h"),
		"another name":      CopyName(owner, v1alpha1.ConfigRef{Kind: v1alpha1.ConfigMap, Name: "settings2"}, "h"),
		"other contents":    CopyName(owner, ref, "i"),
		"a long name":       CopyName(owner, v1alpha1.ConfigRef{Kind: v1alpha1.ConfigMap, Name: strings.Repeat("a", 253)}, "h"),
		"dots at the cut":   CopyName(owner, v1alpha1.ConfigRef{Kind: v1alpha1.ConfigMap, Name: strings.Repeat("a.", 126) + "a"}, "h"),
	} {
		if other, taken := seen[n]; taken {
			t.Errorf("%s and %s have the same name %s", name, other, n)
		}
		seen[n] = name
		if problems := validation.IsDNS1123Subdomain(n); len(problems) > 0 {
			t.Errorf("%s: %s: %v", name, n, problems)
		}
		if !IsCopyName("shop", n) {
			t.Errorf("%s: %s is not known as a copy's", name, n)
		}
	}
	for _, n := range []string{"shop", "shop-settings", "shop-settings-0123", "settings-" + strings.Repeat("0", 32), "shop-a-" + strings.Repeat("g", 32), "shop" + strings.Repeat("0", 32)} {
		if IsCopyName("shop", n) {
			t.Errorf("%s passes for a copy's", n)
		}
	}
}

// What the Job of a check refers to is content like what the template refers to.
func TestSplitJobs(t *testing.T) {
	spec := v1alpha1.ReleaseSpec{Checks: &v1alpha1.Checks{BeforeSwitch: []v1alpha1.Check{{Name: "smoke"}, {Name: "e2e", Job: &v1alpha1.JobCheck{
		Template: runtime.RawExtension{Raw: []byte(`{"spec":{"containers":[{"name":"t","image":"i","envFrom":[{"secretRef":{"name":"login"}}]}]}}`)},
	}}, {Name: "bad", Job: &v1alpha1.JobCheck{Template: runtime.RawExtension{Raw: []byte(`[]`)}}}}}}
	copied, live := Split(spec)
	const field = "spec.checks.beforeSwitch[name=e2e].job.template.spec.containers[name=t].envFrom"
	if len(live) > 0 || len(copied) != 1 || copied[0].Name != "login" || copied[0].Required != field {
		t.Errorf("copied are %+v, live %+v", copied, live)
	}
	spec.Config = &v1alpha1.ConfigSpec{Live: []v1alpha1.ConfigRef{{Kind: v1alpha1.Secret, Name: "login"}}}
	if copied, live := Split(spec); len(copied) > 0 || len(live) != 1 {
		t.Errorf("copied are %+v, live %+v", copied, live)
	}
}
