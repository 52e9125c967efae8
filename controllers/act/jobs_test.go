// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package act_test

import (
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/rollout"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

func startJob() rollout.StartJob {
	return rollout.StartJob{
		Name: "shop-e2e-1", Colour: v1alpha1.Green, Digest: "sha256:0", Targets: "shop-green-1=10.0.0.1",
		Config: []v1alpha1.ConfigCopy{{Kind: v1alpha1.Secret, Name: "password", Copy: "copy-of-password"}},
		Check: v1alpha1.Check{Name: "e2e", Job: &v1alpha1.JobCheck{BackoffLimit: 2, Template: runtime.RawExtension{Raw: []byte(`{
			"metadata":{"labels":{"app":"test"}},
			"spec":{"initContainers":[{"name":"first","image":"i"}],"containers":[{"name":"test","image":"test:1",
			"env":[{"name":"A","value":"b"}],"envFrom":[{"secretRef":{"name":"password"}}]}]}}`)}}},
	}
}

func TestStartJob(t *testing.T) {
	c := newCluster(t)
	rel := release()
	rel.UID = "u"
	c.must(rel, startJob())
	j := get[batchv1.Job](c, "shop-e2e-1")
	if j.Labels[v1alpha1.ReleaseLabel] != "shop" || j.Labels[v1alpha1.CheckLabel] != "e2e" || j.Annotations[v1alpha1.DigestAnnotation] != "sha256:0" ||
		j.Annotations[v1alpha1.TargetsAnnotation] != "shop-green-1=10.0.0.1" || !metav1.IsControlledBy(j, rel) {
		t.Errorf("it is %+v", j.ObjectMeta)
	}
	if *j.Spec.BackoffLimit != 2 || *j.Spec.ActiveDeadlineSeconds != 300 || *j.Spec.TTLSecondsAfterFinished != 3600 {
		t.Errorf("it is %+v", j.Spec)
	}
	pod := j.Spec.Template
	if pod.Labels["app"] != "test" || pod.Labels[v1alpha1.ReleaseLabel] != "shop" || pod.Labels[v1alpha1.CheckLabel] != "e2e" || len(pod.Labels) != 3 {
		t.Errorf("its Pods have labels %v", pod.Labels)
	}
	if pod.Spec.RestartPolicy != corev1.RestartPolicyNever {
		t.Errorf("its Pods are restarted %s", pod.Spec.RestartPolicy)
	}
	if from := pod.Spec.Containers[0].EnvFrom[0].SecretRef.Name; from != "copy-of-password" {
		t.Errorf("it uses Secret %s", from)
	}
	env := map[string]string{}
	for _, e := range pod.Spec.Containers[0].Env {
		env[e.Name] = e.Value
	}
	if env[v1alpha1.EnvAddresses] != "10.0.0.1" || env[v1alpha1.EnvColour] != "green" || env["A"] != "b" || len(pod.Spec.InitContainers[0].Env) != len(env)-1 {
		t.Errorf("its environment is %v, %v", env, pod.Spec.InitContainers[0].Env)
	}
	if err := c.actor.Carry(t.Context(), rel, []rollout.Action{startJob()}); !apierrors.IsAlreadyExists(err) {
		t.Errorf("again: %v", err)
	}
}

func TestStartJobSaysMore(t *testing.T) {
	c := newCluster(t)
	s := startJob()
	s.Check.Job.TimeoutSeconds, s.Check.Job.TTLSecondsAfterFinished = 20, 60
	s.Check.Job.Template.Raw = []byte(`{"spec":{"restartPolicy":"OnFailure","containers":[{"name":"test","image":"test:1"}]}}`)
	c.must(release(), s)
	j := get[batchv1.Job](c, "shop-e2e-1")
	if *j.Spec.ActiveDeadlineSeconds != 20 || *j.Spec.TTLSecondsAfterFinished != 60 || j.Spec.Template.Spec.RestartPolicy != corev1.RestartPolicyOnFailure {
		t.Errorf("it is %+v", j.Spec)
	}
	s.Check.Job.Template.Raw = []byte(`{"spec":1}`)
	if err := c.actor.Carry(t.Context(), release(), []rollout.Action{s}); err == nil {
		t.Error("it is started from no template")
	}
}

// Only the Job that was decided about goes, not another of its name.
func TestDropJob(t *testing.T) {
	c := newCluster(t, &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "j", UID: "new"}})
	if err := c.actor.Carry(t.Context(), release(), []rollout.Action{rollout.DropJob{Name: "j", UID: "other"}}); !apierrors.IsConflict(err) {
		t.Errorf("another is dropped: %v", err)
	}
	c.must(release(), rollout.DropJob{Name: "j", UID: "new"}, rollout.DropJob{Name: "gone", UID: "x"})
}
