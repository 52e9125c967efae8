// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	"github.com/countersign/countersign/controllers/digest"
	"github.com/countersign/countersign/controllers/rollout"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

const (
	blue  = v1alpha1.Blue
	green = v1alpha1.Green
)

// tester is what a world needs of a test, so that properties have worlds too.
type tester interface {
	Helper()
	Errorf(string, ...any)
	Fatalf(string, ...any)
}

// world is a model of what a Release stands in: Services, Deployments, people
// and a clock. Decisions are made on it and carried out in it, and each of them
// is checked (checks_test.go).
type world struct {
	t        tester
	now      time.Time
	rel      v1alpha1.Release
	problems []string
	// frozen is why the gate is; empty while it is intact.
	frozen string
	// untested is true as long as the operator has not tested the gate.
	untested bool
	policies []approval.Policy
	votes    map[string]approval.Vote
	glasses  []approval.Glass
	reviews  []approval.Review
	authors  rollout.Authors
	colours  map[v1alpha1.Colour]*colour
	// origin is what served before; usedBy are other Services that lead to it.
	origin *colour
	usedBy []string
	// config is what ConfigMaps and Secrets hold; copies are of them.
	config   map[v1alpha1.ConfigRef]string
	copies   map[v1alpha1.ConfigRef]*rollout.Copy
	services map[string]*service
	// unwanted are Services that somebody deletes as soon as they are there.
	unwanted map[string]bool
	budgets  map[v1alpha1.Colour]*budget
	// budgeted is what was done to them. It is not in did: few scenarios are about it.
	budgeted []string
	// outcomes are what checks find, by name; Passed unless told.
	outcomes map[string]v1alpha1.CheckState
	results  []rollout.CheckResult
	// records of contents that were let through, by name, and what was done to them.
	records  map[string]*rollout.Kept
	recorded []string
	// jobs are those of checks. They run until a test ends them.
	jobs map[string]*rollout.Job
	// lag keeps the endpoints as they are.
	lag bool
	// writes is how many Services can still be written before the operator dies.
	writes   int
	version  int
	last     rollout.Decision
	did      []string
	told     []string
	promoted map[string]bool
}

type colour struct {
	exists, foreign, leaving bool
	version                  int
	revision                 string
	template                 corev1.PodTemplateSpec
	replicas                 int32
	// missing Pods are there and not ready.
	missing int32
	// slow Deployments bring up no Pod; trouble is why.
	slow    bool
	trouble string
	// stubborn Deployments do not bring up the Pods that are made anew, and older are
	// those from before that serve on.
	stubborn bool
	older    int32
	// runs is the image that the kubelet tells of; unset means that of the template.
	runs *string
}

type service struct {
	owner, unsupported string
	preview, leaving   bool
	deletable          bool
	selector           map[string]string
	epoch              int64
	ports              []corev1.ServicePort
	version            int
	endpoints          rollout.Endpoints
	others             int
}

// newWorld has a Release of three Pods with one Service that somebody made, a
// policy with one seat for bob or carol, and nothing else yet.
func newWorld(t tester, changes ...func(*world)) *world {
	w := &world{
		t: t, now: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC), writes: 1 << 30,
		policies: []approval.Policy{{
			Name: "prod", ValidFor: 24 * time.Hour,
			Rules: []approval.Rule{{Name: "qa", Count: 1, Users: []string{"bob", "carol"}, CanVeto: true}},
		}},
		authors:  rollout.Authors{Names: []string{"dev"}, Known: true},
		colours:  map[v1alpha1.Colour]*colour{blue: {}, green: {}},
		services: map[string]*service{}, budgets: map[v1alpha1.Colour]*budget{blue: {}, green: {}}, votes: map[string]approval.Vote{},
		outcomes: map[string]v1alpha1.CheckState{}, promoted: map[string]bool{},
		records: map[string]*rollout.Kept{}, jobs: map[string]*rollout.Job{}, config: map[v1alpha1.ConfigRef]string{}, copies: map[v1alpha1.ConfigRef]*rollout.Copy{},
	}
	w.rel = v1alpha1.Release{
		ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "shop", UID: "uid-1", Generation: 1},
		Spec: v1alpha1.ReleaseSpec{
			Replicas: ptr(int32(3)), Template: template("v1"),
			Services:       []v1alpha1.ServiceRef{{Name: "shop"}},
			ObserveSeconds: 600, KeepIdleSeconds: ptr(int32(3600)), ProgressDeadlineSeconds: 600, ReadinessGraceSeconds: ptr(int32(15)),
		},
	}
	w.addService("shop")
	for _, change := range changes {
		change(w)
	}
	return w
}

func ptr[T any](v T) *T { return &v }

func template(image string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "shop"}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "app", Image: image, Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}},
		}}},
	}
}

func check(name string) v1alpha1.Check {
	return v1alpha1.Check{Name: name, HTTP: &v1alpha1.HTTPCheck{Path: "/", Port: intstr.FromString("http")}}
}

// withChecks declares one check before and one after the switch.
func withChecks(w *world) {
	w.rel.Spec.Checks = &v1alpha1.Checks{
		BeforeSwitch: []v1alpha1.Check{check("smoke")}, AfterSwitch: []v1alpha1.Check{check("live")},
	}
}

// withTwoServices names a second Service in the spec.
func withTwoServices(w *world) {
	w.addService("admin")
	w.rel.Spec.Services = append(w.rel.Spec.Services, v1alpha1.ServiceRef{Name: "admin"})
}

func (w *world) addService(name string) *service {
	w.version++
	w.services[name] = &service{version: w.version, ports: []corev1.ServicePort{{Name: "http", Port: 80, Protocol: corev1.ProtocolTCP}}}
	return w.services[name]
}

// serving is a world whose first content is promoted, observed and finished.
func serving(t tester, changes ...func(*world)) *world {
	w := observing(t, changes...)
	w.pass(600 * time.Second)
	w.wants(v1alpha1.PhaseStable)
	w.did, w.told = nil, nil
	return w
}

// observing is a world whose first content was just promoted.
func observing(t tester, changes ...func(*world)) *world {
	t.Helper()
	w := newWorld(t, changes...)
	w.run()
	w.approve("bob")
	if len(w.config) > 0 {
		w.approve("carol") // nobody knows who wrote it
	}
	w.run()
	w.wants(v1alpha1.PhaseObserving)
	w.did, w.told = nil, nil
	return w
}

// secondObserved is a world where blue is kept and green was just promoted.
func secondObserved(t tester, changes ...func(*world)) *world {
	w := serving(t, changes...)
	w.edit("v2")
	w.run()
	w.approve("bob")
	w.run()
	w.wants(v1alpha1.PhaseObserving)
	w.did, w.told = nil, nil
	return w
}

// edit changes the content of the spec.
func (w *world) edit(image string) {
	w.rel.Spec.Template = template(image)
	w.rel.Generation++
}

func (w *world) respec(change func(*v1alpha1.ReleaseSpec)) {
	change(&w.rel.Spec)
	w.rel.Generation++
}

func (w *world) scale(n int32) {
	w.respec(func(s *v1alpha1.ReleaseSpec) { s.Replicas = &n })
}

// approve casts a vote on the candidate in a slot of the user's name.
func (w *world) approve(user string) { w.vote(user, approval.Approve) }

func (w *world) reject(user string) { w.vote(user, approval.Reject) }

func (w *world) vote(user string, d approval.Decision) {
	w.t.Helper()
	if w.rel.Status.Candidate == nil {
		w.t.Fatalf("there is no candidate to vote on")
	}
	w.votes[user] = approval.Vote{Slot: user, User: user, Decision: d, Digest: w.rel.Status.Candidate.Digest, At: w.now}
}

func (w *world) withdraw(user string) { delete(w.votes, user) }

// release brings new content all the way to the traffic.
func (w *world) release(image string) {
	w.t.Helper()
	w.edit(image)
	w.run()
	w.approve("bob")
	w.run()
}

// pass lets time go by as the operator sees it: it is woken when it asked to be.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	end := w.now.Add(d)
	for at := w.last.WakeAt; !at.IsZero() && !at.After(end); at = w.last.WakeAt {
		w.now = at
		w.run()
	}
	w.now = end
	w.run()
}

// snapshot reads the world as package observe does.
func (w *world) snapshot() rollout.Snapshot {
	w.follow()
	revision, err := digest.Revision(w.rel.Spec)
	if err != nil {
		w.t.Fatalf("revision: %v", err)
	}
	s := rollout.Snapshot{
		Now: w.now, Release: *w.rel.DeepCopy(), SpecRevision: revision, Cluster: "c1", Problems: slices.Clone(w.problems),
		Policies: slices.Clone(w.policies), Authors: w.authors, Results: slices.Clone(w.results),
		Blue: w.workload(blue), Green: w.workload(green), Gate: rollout.Gate{Intact: w.frozen == "" && !w.untested, Untested: w.untested, Why: w.frozen},
		Glasses: slices.Clone(w.glasses), Reviews: slices.Clone(w.reviews),
	}
	w.readOrigin(&s)
	w.readConfig(&s)
	for _, name := range slices.Sorted(maps.Keys(w.jobs)) {
		s.Jobs = append(s.Jobs, *w.jobs[name])
	}
	for _, name := range slices.Sorted(maps.Keys(w.records)) {
		s.Kept = append(s.Kept, *w.records[name])
	}
	for _, slot := range slices.Sorted(maps.Keys(w.votes)) {
		s.Votes = append(s.Votes, w.votes[slot])
	}
	for _, ref := range w.refs() {
		s.Services = append(s.Services, w.read(ref))
	}
	for _, name := range slices.Sorted(maps.Keys(w.services)) {
		if w.services[name].preview && !slices.ContainsFunc(s.Services, func(svc rollout.Service) bool { return svc.Preview.Name == name }) {
			s.Strays = append(s.Strays, rollout.Preview{Name: name, Exists: true, ResourceVersion: fmt.Sprint(w.services[name].version)})
		}
	}
	return s
}

func (w *world) refs() []v1alpha1.ServiceRef {
	st, refs := w.rel.Status, slices.Clone(w.rel.Spec.Services)
	var more []v1alpha1.ServiceRef
	if st.Active != nil {
		more = append(more, st.Active.Services...)
	}
	if sw := st.Switch; sw != nil && sw.SettledAt == nil && sw.CancelledAt == nil {
		more = append(more, sw.To.Services...)
	}
	for _, r := range more {
		if !slices.ContainsFunc(refs, func(x v1alpha1.ServiceRef) bool { return x.Name == r.Name }) {
			refs = append(refs, r)
		}
	}
	return refs
}

func (w *world) workload(c v1alpha1.Colour) rollout.Workload {
	out := w.asRead(w.colours[c], rollout.WorkloadName("shop", c))
	out.Budget = w.budgets[c].read()
	return out
}

func (w *world) asRead(m *colour, name string) rollout.Workload {
	out := rollout.Workload{Name: name}
	if !m.exists && !m.leaving {
		return out
	}
	hash, err := digest.TemplateHash(m.template)
	if err != nil {
		w.t.Fatalf("template hash: %v", err)
	}
	out.Exists, out.Foreign, out.ResourceVersion = m.exists, m.foreign, fmt.Sprint(m.version)
	out.Revision, out.Template, out.TemplateHash = m.revision, *m.template.DeepCopy(), hash
	out.Restarts = v1alpha1.ParseRestart(m.template.Annotations[v1alpha1.RestartsAnnotation])
	out.Replicas, out.Settled, out.Total, out.Updated = m.replicas, true, m.replicas+m.older, m.replicas
	out.Ready, out.Available = m.ready(), m.ready()
	for i := range m.replicas {
		out.Pods = append(out.Pods, rollout.Pod{
			Name: fmt.Sprintf("%s-%d", out.Name, i), IP: fmt.Sprintf("10.0.0.%d", i), Revision: m.revision, Ready: i < m.ready(), Images: m.images(),
		})
		if pod := &out.Pods[i]; !pod.Ready {
			pod.Trouble = m.trouble
		}
	}
	return out
}

func (m *colour) images() map[string]string {
	images := map[string]string{}
	for _, c := range m.template.Spec.Containers {
		if images[c.Name] = c.Image; m.runs != nil {
			images[c.Name] = *m.runs
		}
	}
	return images
}

func (m *colour) ready() int32 {
	if m.slow || !m.exists {
		return 0
	}
	return max(0, m.replicas-m.missing)
}
