// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/digest"
	"github.com/countersign/countersign/controllers/rollout"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestConfig(t *testing.T) {
	scenarios(t, map[string]func(*testing.T){
		"copies come before the Pods that use them": func(t *testing.T) {
			w := newWorld(t, withConfig)
			w.run()
			i, j := slices.Index(w.did, "CopyConfig settings"), slices.Index(w.did, "Materialise blue 3")
			if i < 0 || j < i {
				t.Errorf("it did %v", w.did)
			}
			w.wantsConfig(blue, "sha256:s1", "hmac-sha256:p1")
		},
		"sec/11 edited after the approval": func(t *testing.T) {
			w := serving(t, withConfig)
			w.rel.Spec.Template = configured("v2")
			w.run()
			voted := w.rel.Status.Candidate.Digest
			w.config[settings] = "sha256:s2"
			w.approveBoth()
			w.run()
			w.wantsTraffic(blue)
			c := w.rel.Status.Candidate
			if c == nil || c.Digest == voted || c.Sequence != 3 {
				t.Fatalf("the candidate is %+v, want another one with a sequence number of its own", c)
			}
			w.wantsConfig(blue, "sha256:s1", "hmac-sha256:p1")
			w.wantsConfig(green, "sha256:s2", "hmac-sha256:p1")
			w.approveBoth()
			w.run()
			w.wantsTraffic(green)
		},
		"sec/11 edited there and back": func(t *testing.T) {
			w := serving(t, withConfig)
			w.rel.Spec.Template = configured("v2")
			w.run()
			w.approveBoth()
			voted := w.votes
			w.withdraw("bob")
			w.config[settings] = "sha256:s2"
			w.run()
			w.config[settings] = "sha256:s1"
			w.run()
			w.votes = voted
			w.run()
			w.wantsTraffic(blue)
		},
		"sec/11 edited between the decision and the switch": func(t *testing.T) {
			w := serving(t, withConfig)
			w.rel.Spec.Template = configured("v2")
			w.run()
			w.approveBoth()
			w.writes = 0
			w.step()
			if shift, is := w.last.Actions[len(w.last.Actions)-1].(rollout.ShiftTraffic); !is || len(shift.Config) != 2 {
				t.Fatalf("the switch does not look at the ConfigMap and the Secret again: %v", w.last.Actions)
			}
			w.config[settings], w.writes = "sha256:s2", 1<<30
			w.run()
			w.wantsTraffic(blue)
			w.wantsNotice(rollout.NoticeSwitchCancelled)
		},
		"sec/11 a copy that is gone at the decision": func(t *testing.T) {
			w := serving(t, withConfig)
			w.rel.Spec.Template = configured("v2")
			w.config[settings] = "sha256:s2"
			w.run()
			w.approveBoth()
			w.writes = 0
			w.step()
			w.writes = 1 << 30
			delete(w.copies, w.copiesOf(green)[0])
			w.step()
			w.wantsTraffic(blue)
			w.wantsNotice(rollout.NoticeSwitchCancelled)
			w.run()
			w.wantsTraffic(green) // it was made anew, and the vote still holds
		},
		"a change of a ConfigMap alone is a candidate": func(t *testing.T) {
			w := serving(t, withConfig)
			w.config[password] = "hmac-sha256:p2"
			w.run()
			w.wants(v1alpha1.PhaseAwaitingApproval)
			w.wantsNotice(rollout.NoticeCandidateDetected)
			w.config[password] = "hmac-sha256:p1" // as it was: nothing to release
			w.run()
			w.wants(v1alpha1.PhaseStable)
			w.wantsConfig(blue, "sha256:s1", "hmac-sha256:p1")
		},
		"going back brings the former configuration": func(t *testing.T) {
			w := serving(t, withConfig, withChecks)
			w.config[settings] = "sha256:s2"
			w.run()
			w.approveBoth()
			w.run()
			w.wantsTraffic(green)
			w.outcomes["live"] = v1alpha1.CheckFailed
			w.run()
			w.wantsTraffic(blue)
			w.wantsConfig(blue, "sha256:s1", "hmac-sha256:p1")
			w.wants(v1alpha1.PhaseHalted) // what failed is not tried again
		},
		"copies that nothing uses are removed": func(t *testing.T) {
			w := serving(t, withConfig, unrecorded)
			for _, next := range []string{"sha256:s2", "sha256:s3", "sha256:s4"} {
				w.config[settings] = next
				w.run()
				w.approveBoth()
				w.run()
				w.pass(5000 * time.Second)
			}
			if len(w.copies) != 3 { // two of the ConfigMap, for the two colours, and the Secret
				t.Errorf("%d copies stand: %v", len(w.copies), w.copies)
			}
		},
		"deletion leaves what serves its copies": func(t *testing.T) {
			w := serving(t, withConfig)
			w.config[settings] = "sha256:s2"
			w.run()
			serves, other := w.copiesOf(blue), w.copiesOf(green)
			w.did = nil
			w.rel.DeletionTimestamp = new(metav1.NewTime(w.now))
			w.step()
			for _, want := range []string{"SurrenderConfig " + serves[0].Name, "SurrenderConfig " + serves[1].Name, "DropConfig " + other[0].Name} {
				if !slices.Contains(w.did, want) {
					t.Errorf("it did %v, want %s", w.did, want)
				}
			}
		},
		"deletion, tried again, leaves them too": func(t *testing.T) {
			w := serving(t, withConfig)
			s := w.snapshot()
			s.Release.DeletionTimestamp, s.Blue.Foreign = new(metav1.NewTime(w.now)), true
			for _, a := range rollout.Decide(s).Actions {
				if _, is := a.(rollout.DropConfig); is {
					t.Errorf("%s, and the Deployment that was given back uses it", spell(a))
				}
			}
		},
		"an optional one that is not there is content": func(t *testing.T) {
			w := serving(t, withConfig)
			w.respec(func(s *v1alpha1.ReleaseSpec) {
				s.Template = configured("v2")
				s.Template.Spec.Containers[0].EnvFrom[0].ConfigMapRef.Optional = new(true)
			})
			delete(w.config, settings)
			w.run()
			w.wantsConfig(green, "sha256:nothing", "hmac-sha256:p1")
			first := w.rel.Status.Candidate.Sequence
			w.config[settings] = "sha256:s9"
			w.run()
			if got := w.rel.Status.Candidate.Sequence; got == first {
				t.Error("it is there now, and the candidate is the same")
			}
		},
		"what is on record says what it was made of": func(t *testing.T) {
			w := serving(t, withConfig, withChecks)
			revision, err := digest.Revision(w.rel.Spec)
			if a := w.rel.Status.Active; err != nil || len(a.Config) != 2 || a.Revision == revision || !a.OfSpec(revision) {
				t.Errorf("active is %+v, and the revision of the spec is %s", a, revision)
			}
			w.config[settings] = "sha256:s2"
			w.run()
			w.approveBoth()
			w.run()
			w.outcomes["live"] = v1alpha1.CheckFailed
			w.run()
			if c := w.rel.Status.Candidate; len(c.Config) != 2 || c.Config[0].Hash != "sha256:s2" || c.SpecRevision != revision {
				t.Errorf("what was given up is %+v", c)
			}
		},
		"the digest covers what they hold, whatever the copies are called": func(t *testing.T) {
			w := serving(t, withConfig)
			w.config[settings] = "sha256:s2"
			w.run()
			s := w.snapshot()
			s.Config.Wanted[0].Hash = "sha256:s3"
			if c := rollout.Decide(s).Status.Candidate; c.Sequence == w.rel.Status.Candidate.Sequence {
				t.Error("the candidate is the same")
			}
		},
		"a copy that is about to be removed is kept when it is needed again": func(t *testing.T) {
			for _, colour := range []v1alpha1.Colour{blue, green} { // what serves, and the candidate
				w := serving(t, withConfig)
				w.config[settings] = "sha256:s2"
				w.run()
				w.approveBoth()
				ref := w.copiesOf(colour)[0]
				w.copies[ref].Unused = true
				if i := slices.IndexFunc(rollout.Decide(w.snapshot()).Actions, func(a rollout.Action) bool { _, is := a.(rollout.ShiftTraffic); return is }); i >= 0 && colour == green {
					t.Error("traffic goes to what may be without it")
				}
				w.run()
				if c := w.copies[ref]; c == nil || c.Unused {
					t.Errorf("%s: it is %+v", colour, c)
				}
				w.wantsNoNotice(rollout.NoticeConfigRestored)
				w.wantsTraffic(green)
			}
		},
		"copies that two contents share are made once": func(t *testing.T) {
			w := serving(t, withConfig)
			w.rel.Spec.Template = configured("v2")
			w.run()
			delete(w.copies, w.copiesOf(blue)[0])
			var asked int
			for _, a := range rollout.Decide(w.snapshot()).Actions {
				if spell(a) == "CopyConfig settings" {
					asked++
				}
			}
			if asked != 1 {
				t.Errorf("it asks %d times", asked)
			}
		},
		"a Deployment that is made anew gets its copies first": func(t *testing.T) {
			w := serving(t, withConfig)
			w.colours[blue] = &colour{}
			clear(w.copies)
			w.run()
			i, j := slices.Index(w.did, "CopyConfig password"), slices.Index(w.did, "Materialise blue 3")
			if i < 0 || j < i {
				t.Errorf("it did %v", w.did)
			}
		},
		"none is copied when the spec says so": func(t *testing.T) {
			w := newWorld(t, withConfig, func(w *world) { w.rel.Spec.Config = &v1alpha1.ConfigSpec{Snapshot: new(false)} })
			w.run()
			if len(w.copies) > 0 || !slices.Contains(w.copiesOf(blue), settings) {
				t.Errorf("blue uses %v, and the copies are %v", w.copiesOf(blue), w.copies)
			}
		},
	})
}

// Who changes ConfigMaps and Secrets is not known, so that a voter may have: one
// more person has to approve, unless all of it was let through before.
func TestNobodyKnowsWhoChangedConfig(t *testing.T) {
	rows := map[string]struct {
		change func(*world)
		more   bool
		says   string
	}{
		"nothing of it": {func(w *world) { w.rel.Spec.Template = configured("v2") }, false, ""},
		"a ConfigMap":   {func(w *world) { w.config[settings] = "sha256:s2" }, true, "(ConfigMap settings is new or was changed since the last promotion)"},
		"a Secret":      {func(w *world) { w.config[password] = "hmac-sha256:p2" }, true, "(Secret password is new"},
		"one that is new": {func(w *world) {
			w.config[v1alpha1.ConfigRef{Kind: v1alpha1.ConfigMap, Name: "more"}] = "sha256:m"
			w.rel.Spec.Template = configured("v2")
			w.rel.Spec.Template.Spec.Volumes = volumesOf("more", false)
		}, true, "(ConfigMap more is new"},
		"one that is optional and not there": {func(w *world) {
			w.rel.Spec.Template = configured("v2")
			w.rel.Spec.Template.Spec.Volumes = volumesOf("more", true)
		}, false, ""},
		"one that is not copied": {func(w *world) {
			w.rel.Spec.Config = &v1alpha1.ConfigSpec{Live: []v1alpha1.ConfigRef{password}}
		}, true, "(an approval covers the name of Secret password, which is not copied, not what it holds)"},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			w := serving(t, withConfig)
			row.change(w)
			w.run()
			w.approve("bob")
			w.run()
			if held := w.rel.Status.Candidate != nil; held != row.more {
				t.Fatalf("one vote is not enough: %t, want %t; it waits for %q", held, row.more, w.rel.Status.WaitingFor)
			}
			if m := w.condition(v1alpha1.ConditionApproved).Message; !strings.Contains(m, row.says) {
				t.Errorf("the message is %q, want %q in it", m, row.says)
			}
			if row.more {
				w.approve("carol")
				w.run()
			}
			w.wantsTraffic(green)
		})
	}
}

func volumesOf(name string, optional bool) []corev1.Volume {
	return []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
		LocalObjectReference: corev1.LocalObjectReference{Name: name}, Optional: &optional,
	}}}}
}

func TestConfigFaults(t *testing.T) {
	scenarios(t, map[string]func(*testing.T){
		"one that is missing": func(t *testing.T) {
			w := newWorld(t, withConfig, func(w *world) { delete(w.config, password) })
			w.run()
			w.wantsStalled(v1alpha1.ReasonConfigMissing, "kubectl create secret generic password -n prod")
			w.wantsWaiting(v1alpha1.ReasonConfigMissing)
			if len(w.copies) > 0 || w.rel.Status.Candidate != nil {
				t.Error("a candidate is made of what is missing")
			}
			w.config[password] = "hmac-sha256:p1"
			w.run()
			w.wants(v1alpha1.PhaseAwaitingApproval)
		},
		"one that goes missing for a moment takes no votes": func(t *testing.T) {
			w := serving(t, withConfig)
			w.rel.Spec.Template = configured("v2")
			w.outcomes["smoke"] = v1alpha1.CheckRunning
			w.run()
			before := w.rel.Status.Candidate.Digest
			delete(w.config, settings)
			w.approveBoth()
			w.run()
			w.wantsTraffic(blue)
			w.wantsStalled(v1alpha1.ReasonConfigMissing, "settings")
			w.config[settings] = "sha256:s1"
			w.run()
			w.wantsTraffic(green)
			if w.rel.Status.Active.Digest != before {
				t.Error("the digest changed")
			}
		},
		"who edits while one is missing is an author": func(t *testing.T) {
			w := serving(t, withConfig)
			w.rel.Spec.Template = configured("v2")
			w.run()
			delete(w.config, settings)
			w.approve("bob")
			w.authors.Names = []string{"bob", "dev"}
			w.rel.Spec.Template = configured("v3")
			w.run()
			if v := w.rel.Status.Votes; len(v) != 2 || v[0].User != "bob" || v[0].Counted {
				t.Errorf("the votes are %+v", v)
			}
		},
		"the original of what serves is deleted": func(t *testing.T) {
			w := serving(t, withConfig)
			delete(w.config, settings)
			w.run()
			w.wantsTraffic(blue)
			w.wantsConfig(blue, "sha256:s1", "hmac-sha256:p1")
			w.wantsReady(metav1.ConditionFalse, v1alpha1.ReasonConfigMissing)
		},
		"somebody else's object in the place of a copy": func(t *testing.T) {
			w := newWorld(t, withConfig)
			s := w.snapshot()
			ref := v1alpha1.ConfigRef{Kind: v1alpha1.ConfigMap, Name: s.Config.Wanted[0].Copy}
			w.copies[ref] = &rollout.Copy{ConfigRef: ref, UID: "theirs", Foreign: true, Hash: "sha256:s1"}
			w.run()
			w.wantsStalled(v1alpha1.ReasonConfigForeign, "kubectl delete configmap "+ref.Name)
			if w.colours[blue].exists {
				t.Error("Pods are made that would use it")
			}
			delete(w.copies, ref)
			w.run()
			w.wants(v1alpha1.PhaseAwaitingApproval)
		},
		"a copy of what serves is deleted": func(t *testing.T) {
			w := serving(t, withConfig)
			delete(w.copies, w.copiesOf(blue)[0])
			w.run()
			w.wantsNotice(rollout.NoticeConfigRestored)
			w.wantsConfig(blue, "sha256:s1", "hmac-sha256:p1")
		},
		"a copy of what serves is replaced": func(t *testing.T) {
			w := serving(t, withConfig)
			w.copies[w.copiesOf(blue)[0]].Hash = "sha256:evil"
			w.run()
			w.wantsNotice(rollout.NoticeConfigRestored)
			w.wantsConfig(blue, "sha256:s1", "hmac-sha256:p1")
		},
		"a copy of what serves is deleted, and the original has moved on": func(t *testing.T) {
			w := serving(t, withConfig)
			w.config[settings] = "sha256:s2"
			delete(w.copies, w.copiesOf(blue)[0])
			w.run()
			w.wantsStalled(v1alpha1.ReasonConfigLost, "settings that blue uses")
			w.approveBoth()
			w.run()
			w.wantsTraffic(green) // other content mends it
		},
		"somebody else's object in the place of a copy that serves": func(t *testing.T) {
			w := serving(t, withConfig)
			w.copies[w.copiesOf(blue)[0]].Foreign = true
			w.run()
			w.wantsStalled(v1alpha1.ReasonConfigForeign, "settings")
			w.wantsNoNotice(rollout.NoticeConfigRestored)
			w.config[settings] = "sha256:s2"
			w.run()
			w.wantsStalled(v1alpha1.ReasonConfigLost, "settings that blue uses")
		},
		"a copy of what is kept is deleted": func(t *testing.T) {
			w := serving(t, withConfig, withChecks)
			w.config[settings] = "sha256:s2"
			w.run()
			w.approveBoth()
			w.run()
			delete(w.copies, w.copiesOf(blue)[0])
			w.run()
			w.wantsStalled(v1alpha1.ReasonConfigLost, "what traffic would go back to")
			w.outcomes["live"] = v1alpha1.CheckFailed
			w.run()
			w.wantsTraffic(blue) // a rollback asks for nothing
		},
		"sec/62 a copy that cannot be read": func(t *testing.T) {
			w := serving(t, withConfig)
			w.rel.Spec.Template = configured("v2")
			w.run()
			for _, c := range w.copies {
				c.Hash, c.Unread = "", true
			}
			w.approveBoth()
			w.run()
			w.wantsTraffic(blue)
			w.wantsNoNotice(rollout.NoticeConfigRestored)
			for _, c := range w.copies {
				if c.UID == "" {
					t.Error("it was replaced")
				}
			}
		},
		"the candidate's copy was replaced": func(t *testing.T) {
			w := serving(t, withConfig)
			w.config[settings] = "sha256:s2"
			w.run()
			w.copies[w.copiesOf(green)[0]].Hash = "sha256:evil"
			w.approveBoth()
			w.step()
			w.wantsTraffic(blue)
			w.run()
			w.wantsConfig(green, "sha256:s2", "hmac-sha256:p1")
		},
	})
}

// What is on record keeps its copies though no template refers to them, and
// nobody else's object is touched.
func TestCopiesOnRecordAreKept(t *testing.T) {
	config := []v1alpha1.ConfigCopy{{Kind: v1alpha1.ConfigMap, Name: "settings", Copy: "copy", Hash: "sha256:s1"}}
	content := v1alpha1.Content{Colour: blue, Digest: "sha256:x", Config: config}
	rows := map[string]func(*rollout.Snapshot){
		"nothing":       func(*rollout.Snapshot) {},
		"of others":     func(s *rollout.Snapshot) { s.Config.Copies[0].Foreign = true },
		"of the spec":   func(s *rollout.Snapshot) { s.Config.Wanted = config },
		"of the active": func(s *rollout.Snapshot) { s.Release.Status.Active = &v1alpha1.ActiveStatus{Content: content} },
		"of the former": func(s *rollout.Snapshot) {
			s.Release.Status.Active = &v1alpha1.ActiveStatus{Content: v1alpha1.Content{Colour: green, KeepIdleSeconds: 60}}
			s.Release.Spec.Paused = true // no candidate takes its place
			s.Release.Status.Former = &v1alpha1.FormerStatus{Content: content}
		},
		"of the candidate": func(s *rollout.Snapshot) {
			s.Release.Status.Candidate = &v1alpha1.CandidateStatus{Colour: blue, Revision: s.Revision, Config: config}
		},
		"of a switch": func(s *rollout.Snapshot) {
			s.Release.Status.Switch = &v1alpha1.SwitchStatus{Epoch: 1, Reason: v1alpha1.SwitchRollback, To: content}
		},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			s := newWorld(t).snapshot()
			s.Config.Copies = []rollout.Copy{{ConfigRef: v1alpha1.ConfigRef{Kind: v1alpha1.ConfigMap, Name: "copy"}, UID: "1", Hash: "sha256:s1"}}
			row(&s)
			did := func(what string) bool {
				return slices.ContainsFunc(rollout.Decide(s).Actions, func(a rollout.Action) bool { return spell(a) == what })
			}
			if marked := did("MarkConfig copy true"); marked != (name == "nothing") || did("DropConfig copy") {
				t.Errorf("marked: %t, dropped: %t", marked, did("DropConfig copy"))
			}
			s.Config.Copies[0].Unused = true
			if dropped := did("DropConfig copy"); dropped != (name == "nothing") {
				t.Errorf("marked before, it is dropped: %t", dropped)
			}
		})
	}
}
