// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package observe_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/rollout"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func job(change func(*batchv1.Job)) *batchv1.Job {
	j := &batchv1.Job{ObjectMeta: meta("j", v1alpha1.ReleaseLabel, "shop", v1alpha1.CheckLabel, "e2e")}
	j.UID = "job-1"
	j.Annotations = map[string]string{v1alpha1.DigestAnnotation: "sha256:0", v1alpha1.TargetsAnnotation: "a=10.0.0.1"}
	j.OwnerReferences = []metav1.OwnerReference{controlledBy("Release", "shop", "u")}
	if change != nil {
		change(j)
	}
	return j
}

func controlledBy(kind, name, uid string) metav1.OwnerReference {
	return metav1.OwnerReference{APIVersion: "x/v1", Kind: kind, Name: name, UID: types.UID(uid), Controller: new(true)}
}

func ended(kind batchv1.JobConditionType, status corev1.ConditionStatus, reason string) func(*batchv1.Job) {
	return func(j *batchv1.Job) {
		j.Status.Conditions = []batchv1.JobCondition{{Type: kind, Status: status, Reason: reason}}
	}
}

func TestJobs(t *testing.T) {
	is := rollout.Job{Name: "j", UID: "job-1", Check: "e2e", Digest: "sha256:0", Targets: "a=10.0.0.1"}
	with := func(change func(*rollout.Job)) rollout.Job { want := is; change(&want); return want }
	foreign := with(func(j *rollout.Job) { j.Foreign = true })
	for name, tc := range map[string]struct {
		job  *batchv1.Job
		want rollout.Job
	}{
		"Running":          {job(nil), is},
		"Complete":         {job(ended(batchv1.JobComplete, corev1.ConditionTrue, "")), with(func(j *rollout.Job) { j.Done, j.Succeeded = true, true })},
		"Failed":           {job(ended(batchv1.JobFailed, corev1.ConditionTrue, "DeadlineExceeded")), with(func(j *rollout.Job) { j.Done, j.Reason = true, "DeadlineExceeded" })},
		"NotYetComplete":   {job(ended(batchv1.JobComplete, corev1.ConditionFalse, "")), is},
		"NotQuiteComplete": {job(ended(batchv1.JobSuccessCriteriaMet, corev1.ConditionTrue, "")), is},
		"OfNobody":         {job(func(j *batchv1.Job) { j.OwnerReferences = nil }), foreign},
		"OfAnEarlierOne":   {job(func(j *batchv1.Job) { j.OwnerReferences[0].UID = "other" }), foreign},
		"Leaving": {job(func(j *batchv1.Job) { j.DeletionTimestamp, j.Finalizers = new(metav1.Now()), []string{"a/b"} }),
			with(func(j *rollout.Job) { j.Leaving = true })},
	} {
		t.Run(name, func(t *testing.T) {
			rel, r := release(), newReader(t, tc.job)
			rel.UID = "u"
			s, err := snapshot(t, rel, r, r)
			if err != nil || len(s.Jobs) != 1 || s.Jobs[0] != tc.want {
				t.Errorf("it sees %+v, %v; want %+v", s.Jobs, err, tc.want)
			}
		})
	}
}

// One on record that the cache does not have is looked for; nobody's of its name
// is foreign.
func TestJobsOnRecordAreReadLive(t *testing.T) {
	rel := release()
	rel.UID = "u"
	rel.Status.Checks = []v1alpha1.CheckStatus{{Name: "e2e", State: v1alpha1.CheckRunning, Job: &v1alpha1.CheckJob{Name: "j"}}}
	foreign := job(func(j *batchv1.Job) { j.Labels = nil })
	for what, tc := range map[string]struct {
		live    *batchv1.Job
		foreign bool
	}{"the cache lags": {job(nil), false}, "somebody else's": {foreign, true}} {
		s, err := snapshot(t, rel, newReader(t), newReader(t, tc.live))
		if err != nil || len(s.Jobs) != 1 || s.Jobs[0].Foreign != tc.foreign {
			t.Errorf("%s: it sees %+v, %v", what, s.Jobs, err)
		}
	}
	live := newReader(t)
	if s, err := snapshot(t, rel, newReader(t), live); err != nil || len(s.Jobs) > 0 {
		t.Errorf("it sees %+v, %v", s.Jobs, err)
	}
	live.broken = "Job"
	if _, err := snapshot(t, rel, newReader(t), live); err == nil {
		t.Error("no answer is taken for none")
	}
	for _, state := range []v1alpha1.CheckState{v1alpha1.CheckPassed, v1alpha1.CheckFailed} {
		rel.Status.Checks[0].State = state
		if _, err := snapshot(t, rel, newReader(t), live); err != nil {
			t.Errorf("one that has %s is looked for: %v", state, err)
		}
	}
}

func TestTrouble(t *testing.T) {
	of := func(st corev1.ContainerStatus) corev1.PodStatus {
		st.Name = "test"
		return corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{st}}
	}
	ended := func(code int32, says string) corev1.ContainerState {
		return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Message: says}}
	}
	waits := func(reason string) corev1.ContainerState {
		return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: "of a registry"}}
	}
	for name, tc := range map[string]struct {
		status corev1.PodStatus
		want   string
	}{
		"None":       {of(corev1.ContainerStatus{}), ""},
		"Starting":   {of(corev1.ContainerStatus{State: waits("ContainerCreating")}), ""},
		"NoImage":    {of(corev1.ContainerStatus{State: waits("ImagePullBackOff")}), "its container test cannot start with image test:1 (ImagePullBackOff)"},
		"Pulling":    {of(corev1.ContainerStatus{State: waits("ErrImagePull")}), "its container test cannot start with image test:1 (ImagePullBackOff)"},
		"Succeeded":  {of(corev1.ContainerStatus{State: ended(0, "fine")}), ""},
		"Failed":     {of(corev1.ContainerStatus{State: ended(3, "")}), "its container test ended with exit code 3"},
		"Says":       {of(corev1.ContainerStatus{State: ended(1, "no\n answer"+strings.Repeat("x", 300))}), `its container test ended with exit code 1 and says "no answerx`},
		"Restarted":  {of(corev1.ContainerStatus{State: waits("CrashLoopBackOff"), LastTerminationState: ended(1, "bad")}), `its container test ended with exit code 1 and says "bad"`},
		"Unassigned": {corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "0/1 nodes"}}}, "its Pod p cannot be scheduled (0/1 nodes)"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &corev1.Pod{ObjectMeta: meta("p", v1alpha1.ReleaseLabel, "shop"), Status: tc.status}
			p.Spec.Containers = []corev1.Container{{Name: "test", Image: "test:1"}}
			p.OwnerReferences = []metav1.OwnerReference{controlledBy("Job", "j", "job-1")}
			other := p.DeepCopy()
			other.Name, other.OwnerReferences[0].UID, other.Status = "q", "other", of(corev1.ContainerStatus{State: ended(9, "")})
			got := see(t, job(nil), p, other)
			if text := got.Jobs[0].Trouble; !strings.HasPrefix(text, tc.want) || tc.want == "" && text != "" || len(text) > 384 {
				t.Errorf("it is in trouble by %q, want %q", text, tc.want)
			}
			if len(got.Blue.Pods)+len(got.Green.Pods) > 0 {
				t.Errorf("its Pods count as those of a colour")
			}
		})
	}
}

// A Pod of a colour is in trouble only while it is wanted and not ready.
func TestTroubleOfAColour(t *testing.T) {
	starts := func(name string, ready bool) *corev1.Pod {
		p := pod(name, "green", ready)
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "app", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ErrImagePull"}}}}
		return p
	}
	ending := starts("ending", false)
	ending.DeletionTimestamp, ending.Finalizers = &metav1.Time{Time: time.Unix(1, 0)}, []string{"x/y"}
	got := map[string]string{}
	for _, p := range see(t, starts("waits", false), starts("ready", true), ending).Green.Pods {
		got[p.Name] = p.Trouble
	}
	if want := map[string]string{"waits": "its container app cannot start with image  (ImagePullBackOff)", "ready": "", "ending": ""}; !maps.Equal(got, want) {
		t.Errorf("they are in trouble by %q, want %q", got, want)
	}
}
