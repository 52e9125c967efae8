// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"encoding/json"

	"github.com/countersign/countersign/api/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// newRecords: in some lives records of what was let through are kept.
func newRecords(seed uint64) part { return partOf(seed, 0x7265636f7264, seed%3 == 2) }

// recorded tells whether contents are kept in this life.
func (s *sim) recorded() bool { return s.records.on }

// keep is how many contents are kept besides the active one.
func (s *sim) keep() *int32 {
	if !s.recorded() {
		return ptr(int32(0))
	}
	return ptr(int32(1 + s.records.rng.IntN(3)))
}

// recordKeeper removes what belongs to a Release that is gone. At times somebody
// deletes a record, or puts another in its place: no guard keeps them from it.
func (s *sim) recordKeeper() {
	if !s.recorded() {
		return
	}
	for _, r := range live[*appsv1.ControllerRevision](s, kindRecord, nil) {
		owner := s.release()
		switch {
		case owner == nil || len(r.OwnerReferences) != 1 || r.OwnerReferences[0].UID != owner.UID:
			s.must(s.server.remove("garbage-collector", keyOf(r), nil))
		case !s.calm && s.weather.mischief+s.weather.intrusion > 0 && s.records.rng.IntN(500) == 0:
			s.spoilRecord(r)
		}
	}
}

func (s *sim) spoilRecord(r *appsv1.ControllerRevision) {
	s.seen.add("records spoilt")
	s.must(s.server.remove(mallory.name, keyOf(r), nil))
	if s.records.rng.IntN(2) == 0 {
		return
	}
	next := r.DeepCopy()
	next.ResourceVersion, next.UID = "", ""
	next.Data = runtime.RawExtension{Raw: []byte(`{"content":{"digest":"` + r.Annotations[v1alpha1.DigestAnnotation] + `"},"template":{"spec":{"containers":[{"name":"app","image":"app:evil-1"}]}}}`)}
	_, err := s.server.create(mallory.name, next)
	s.must(err)
}

// requestFar: somebody asks to go back to content that no colour may hold any more.
func (s *sim) requestFar(rel *v1alpha1.Release, u user) {
	st := &rel.Status
	if len(st.Kept) == 0 {
		return
	}
	value := st.KeptRequest(st.Kept[s.records.rng.IntN(len(st.Kept))])
	if value == "" {
		return
	}
	if s.edit(u, func(r *v1alpha1.Release) { annotate(r, v1alpha1.RollbackAnnotation, value) }) != nil {
		s.seen.add("requests refused")
	}
}

// goesFar lets two more contents out and goes back to the one before them: it has to
// get there though no colour holds it.
func (s *sim) goesFar() {
	s.mustEdit(func(rel *v1alpha1.Release) { rel.Spec.RevisionHistoryLimit = ptr(int32(3)) })
	s.rest("with more contents kept")
	target := s.release().Status.Active.Digest
	s.letOut()
	s.letOut()
	rel := s.release()
	for _, k := range rel.Status.Kept {
		if k.Digest == target {
			s.must(s.edit(olga, func(r *v1alpha1.Release) { annotate(r, v1alpha1.RollbackAnnotation, rel.Status.KeptRequest(k)) }))
		}
	}
	there := func() bool { s.heed(); a := s.release().Status.Active; return a != nil && a.Digest == target }
	if !s.await(there) || !there() {
		s.violate("liveness", "%s asked to go back to %s, and it does not get there: %s", olga.name, target, s.whyNot())
	}
	s.rest("after going back far")
	s.seen.add("far ways back in the calm")
}

// farBack judges a way back to content that is not what was active before: somebody
// asked for just that, it was let through, and nobody went back from it.
func (o *oracle) farBack(rel *v1alpha1.Release, c *commitment) {
	st := &rel.Status
	if c.to.Colour == v1alpha1.Origin || st.Active == nil || c.to.Digest == c.active {
		return
	}
	if o.returned[c.to.Digest] {
		o.sim.violate("I11", "epoch %d goes back to %s, which was gone back from", c.epoch, c.to.Digest)
	}
	if o.promoted[st.Active.Digest] == nil || o.halfway(st) {
		return
	}
	o.returned[st.Active.Digest] = true
	if former := o.before(st.Active); former != nil && former.to.Digest == c.to.Digest {
		return
	}
	o.sim.seen.add("far ways back")
	if want, got := o.farRequest(st.Active.Digest, c.to.Digest), o.asked[v1alpha1.RollbackAnnotation]; got.value != want {
		o.sim.violate("I1", "epoch %d goes back from %s to %s, and what is asked for is %+v", c.epoch, st.Active.Digest, c.to.Digest, got)
	}
}

// halfway tells whether a promotion is being carried out, from which a way back
// leads to what is active.
func (o *oracle) halfway(st *v1alpha1.ReleaseStatus) bool {
	return st.Switch != nil && st.Switch.PatchedAt == nil && st.Switch.CancelledAt == nil && st.Switch.Reason.Promotes()
}

// farRequest is what has to be asked for to go back from one content to another.
func (o *oracle) farRequest(from, to string) string {
	request := from + "/" + to
	target := o.promoted[to]
	for _, c := range o.commits {
		if c.landed && c.reason.Promotes() && o.irreversible(c.to.Digest) && (target == nil || c.epoch > target.epoch) {
			return v1alpha1.IrreversiblePrefix + request
		}
	}
	return request
}

// recordsAtRest: what is on record as kept is there, unless somebody spoilt it, and
// nothing else is.
func (s *sim) recordsAtRest(rel *v1alpha1.Release) {
	listed := map[string]bool{}
	for _, k := range rel.Status.Kept {
		listed[k.Revision] = true
		if s.oracle.promoted[k.Digest] == nil || s.oracle.returned[k.Digest] {
			s.violate("I1", "%s is kept, and was not let through, or was gone back from", k.Digest)
		}
	}
	for _, r := range live[*appsv1.ControllerRevision](s, kindRecord, nil) {
		if !listed[r.Name] {
			s.violate("I17", "ControllerRevision %s is of nothing that is kept", r.Name)
		}
	}
}

// recordedContents are what the records hold.
func (s *sim) recordedContents() (contents []v1alpha1.Content) {
	for _, r := range live[*appsv1.ControllerRevision](s, kindRecord, nil) {
		var data struct{ Content v1alpha1.Content }
		s.must(json.Unmarshal(r.Data.Raw, &data))
		contents = append(contents, data.Content)
	}
	return contents
}
