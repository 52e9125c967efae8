// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"fmt"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
)

const (
	list      = v1alpha1.AuthorsAnnotation
	listStamp = v1alpha1.AuthorsReceiptAnnotation
)

// promoted is a Release of which everything is active.
func promoted(t testing.TB, changes ...func(*v1alpha1.Release)) *v1alpha1.Release {
	t.Helper()
	rel := stored(t, func(rel *v1alpha1.Release) {
		rel.Status.Candidate = nil
		rel.Status.Active = &v1alpha1.ActiveStatus{Content: v1alpha1.Content{Revision: revision(t, rel.Spec)}}
	})
	for _, change := range changes {
		change(rel)
	}
	return rel
}

// configuredOtherwise: the revision of what is active is of more than the spec.
func configuredOtherwise(rel *v1alpha1.Release) {
	c := &rel.Status.Active.Content
	c.SpecRevision, c.Revision = c.Revision, "0123456789abcdef"
}

// Everybody who changes the content is on record until it is promoted.
func TestStampAuthors(t *testing.T) {
	eve := person("eve@corp")
	seconds := func(rel *v1alpha1.Release) { rel.Spec.ObserveSeconds = 1 }
	grace := func(seconds int64) func(*v1alpha1.Release) {
		return func(rel *v1alpha1.Release) { rel.Spec.Template.Spec.TerminationGracePeriodSeconds = &seconds }
	}
	cases(t, map[string]write{
		"Change":     {reason: "who changes the template is added", by: eve, change: image("shop:2"), check: written(dev, "eve@corp")},
		"OtherField": {reason: "any field that is approved makes an author", by: eve, change: seconds, check: written(dev, "eve@corp")},
		"Again":      {reason: "an author stays one", by: person(dev), change: image("shop:2"), check: written(dev)},
		"Bot":        {reason: "a program can be an author", by: person(bot), change: image("shop:2"), check: written(dev, bot)},
		"LargeNumber": {reason: "large numbers are told from their neighbours, and refused because a digest could not", by: eve, was: stored(t, grace(1<<53)), change: grace(1<<53 + 1), refused: "Spec",
			says: []string{"too large to be told from its neighbours"}},
		"Unchanged": {reason: "an unchanged content keeps its authors", by: eve, change: set("team", "other"), want: map[string]string{list: "=", listStamp: "="}, check: written(dev)},
		"Replicas":  {reason: "scaling makes no author", by: eve, change: scaled, want: map[string]string{list: "=", listStamp: "="}, check: written(dev)},
		"Paused":    {reason: "nor does pausing", by: eve, change: func(rel *v1alpha1.Release) { rel.Spec.Paused = true }, want: map[string]string{list: "="}, check: written(dev)},
		"Revert":    {reason: "nor does undoing a change clear anybody", by: eve, was: stored(t, image("shop:2"), wroteBy(t, dev, "zoe@corp")), change: image("shop:1"), check: written(dev, "eve@corp", "zoe@corp")},
		"Promoted":  {reason: "after a promotion the list starts again", by: eve, was: promoted(t), change: image("shop:2"), check: written("eve@corp")},
		"PromotedUnseen": {reason: "not before the operator has seen the spec", by: eve, was: promoted(t, func(rel *v1alpha1.Release) { rel.Generation++ }), change: image("shop:2"),
			check: written(dev, "eve@corp")},
		"PromotedOther": {reason: "not if something else is active", by: eve, was: promoted(t, func(rel *v1alpha1.Release) { rel.Status.Active.Revision = "0123456789abcdef" }), change: image("shop:2"),
			check: written(dev, "eve@corp")},
		"PromotedConfigured": {reason: "whatever its ConfigMaps hold", by: eve, was: promoted(t, configuredOtherwise), change: image("shop:2"), check: written("eve@corp")},
		"NothingActive":      {reason: "not if nothing is", by: eve, was: promoted(t, func(rel *v1alpha1.Release) { rel.Status.Active = nil }), change: image("shop:2"), check: written(dev, "eve@corp")},
		"CandidateWaits": {reason: "not while a candidate is there", by: eve, was: promoted(t, func(rel *v1alpha1.Release) { rel.Status.Candidate = &v1alpha1.CandidateStatus{} }), change: image("shop:2"),
			check: written(dev, "eve@corp")},
		"DryRun": {reason: "sec/26: a dry run proves nothing", by: eve, change: image("shop:2"), dryRun: true, want: map[string]string{list: "eve@corp", listStamp: "v1 "},
			check: unproven("of a dry run")},
		"OddName": {reason: "who cannot be put on record cannot be an author", by: person("eve,dev"), change: image("shop:2"), refused: "Username", says: []string{`"eve,dev"`}},
	})
}

// The list and its receipt are written by admission only.
func TestForgedAuthors(t *testing.T) {
	eve := person("eve@corp")
	forged := both(set(list, `["zoe@corp"]`), set(listStamp, "v1 x"))
	cases(t, map[string]write{
		"WithContent": {reason: "sec/25: what the client says is overwritten", by: eve, change: both(forged, image("shop:2")), check: written(dev, "eve@corp")},
		"Alone":       {reason: "sec/25: and put back", by: eve, change: forged, warns: "is written by admission only", want: map[string]string{list: "=", listStamp: "="}, check: written(dev)},
		"Dropped":     {reason: "a list that is left out is put back", by: eve, change: drop(list, listStamp), warns: "is written by admission only", check: written(dev)},
		"OnlyReceipt": {reason: "so is its receipt", by: eve, change: drop(listStamp), warns: listStamp, check: written(dev)},
		"Added":       {reason: "one that was not there is taken out", by: eve, was: stored(t, drop(list, listStamp)), change: forged, warns: list, want: map[string]string{list: "-", listStamp: "-"}},
		"Empty":       {reason: "also if it is empty", by: eve, was: stored(t, drop(list, listStamp)), change: set(list, ""), warns: list, want: map[string]string{list: "-"}},
		"ByOperator":  {reason: "not even the operator writes it", by: person(operator), change: forged, warns: list, check: written(dev)},
	})
}

// A lost record lets nobody change content, and there is a way out.
func TestLostAuthors(t *testing.T) {
	eve := person("eve@corp")
	// pending has shop:1 active and shop:2 in the spec.
	pending := func(changes ...func(*v1alpha1.Release)) *v1alpha1.Release {
		rel := promoted(t, image("shop:2"))
		wroteBy(t, dev)(rel)
		rel.Status.Candidate = &v1alpha1.CandidateStatus{Digest: candidate, ObservedGeneration: 3, Authors: []string{dev}}
		for _, change := range changes {
			change(rel)
		}
		return rel
	}
	foreignKey := func(rel *v1alpha1.Release) {
		rel.UID = "u0"
		wroteBy(t, "zoe@corp")(rel)
		rel.UID = "u1"
	}
	refused := func(reason string, was *v1alpha1.Release, says string) write {
		return write{reason: reason, by: eve, was: was, change: image("shop:3"), refused: "AuthorsUnknown",
			says: []string{says, "apply the content that is active first, then this change", "what serves goes on serving"}}
	}
	cases(t, map[string]write{
		"NoList":           refused("nobody is on record", pending(drop(list, listStamp)), "nobody is recorded"),
		"NoReceipt":        refused("the list is not signed", pending(drop(listStamp)), "has no receipt"),
		"OtherList":        refused("the list is not the one that is signed", pending(set(list, `["zoe@corp"]`)), "not the one that its receipt proves"),
		"OtherRelease":     refused("sec/28: the receipt is of another Release", pending(foreignKey), "of another Release"),
		"OtherContent":     refused("the receipt is of another spec", pending(image("shop:4")), "other content than the spec"),
		"FirstRelease":     refused("nothing is active yet", stored(t, drop(listStamp)), "delete the Release and create it again"),
		"WayOut":           {reason: "the active content was approved whoever wrote it", by: eve, was: pending(drop(listStamp)), change: image("shop:1"), check: written(dev, "eve@corp")},
		"WayOutConfigured": {reason: "whatever its ConfigMaps hold", by: eve, was: pending(drop(listStamp), configuredOtherwise), change: image("shop:1"), check: written(dev, "eve@corp")},
		"WayOutSpelling": {reason: "whoever the list names in any spelling stays, because the admission policies want it", by: eve, was: pending(set(list, `["zoe@corp","dev@corp","zoe@corp"]`)),
			change: image("shop:1"), check: written(dev, "eve@corp", "zoe@corp")},
		"WayOutGarbage": {reason: "a list that names nobody holds nobody", by: eve, was: pending(set(list, `["a b",1]`)), change: image("shop:1"), check: written("eve@corp")},
		"WayOutUnsafe":  {reason: "nor does one that the admission policies cannot read, because of a name", by: eve, was: pending(set(list, `["a b","zoe@corp"]`)), change: image("shop:1"), check: written("eve@corp")},
		"WayOutSpace":   {reason: "or because of a space", by: eve, was: pending(set(list, `["a", "zoe@corp"]`)), change: image("shop:1"), check: written("eve@corp")},
		"WayOutEmpty":   {reason: "or because it is empty", by: eve, was: pending(set(list, `[]`)), change: image("shop:1"), check: written("eve@corp")},
		"Scaling":       {reason: "what makes no author goes on", by: eve, was: pending(drop(list, listStamp)), change: scaled, want: map[string]string{list: "-"}},
	})
}

// The list has a bound, because the status has.
func TestTooManyAuthors(t *testing.T) {
	var names []string
	for i := range maxAuthors {
		names = append(names, fmt.Sprintf("dev%02d@corp", i))
	}
	was := stored(t, wroteBy(t, names...))
	cases(t, map[string]write{
		"OneMore":  {reason: "there is no room", by: person("eve@corp"), was: was, change: image("shop:2"), refused: "TooManyAuthors", says: []string{"64 authors"}},
		"OneOf":    {reason: "who is there already changes on", by: person(names[7]), was: was, change: image("shop:2"), check: written(names...)},
		"LastRoom": {reason: "up to the bound", by: person("a@corp"), was: stored(t, wroteBy(t, names[1:]...)), change: image("shop:2"), check: written(append([]string{"a@corp"}, names[1:]...)...)},
	})
}

// Content is refused that cannot be released; what is there already is left alone.
func TestContent(t *testing.T) {
	never := func(rel *v1alpha1.Release) { rel.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyNever }
	bad := stored(t, never, wroteBy(t, dev))
	cases(t, map[string]write{
		"Bad":         {reason: "what cannot run", by: person(dev), change: never, refused: "Spec", says: []string{"restartPolicy is Never; write Always"}},
		"BadAlready":  {reason: "it can be annotated and deleted still", by: person(dev), was: bad, change: set("team", "x"), want: map[string]string{"team": "x"}},
		"BadScaled":   {reason: "and scaled", by: person(dev), was: bad, change: scaled},
		"Operator":    {reason: "the operator writes no content", by: person(operator), change: image("shop:2"), refused: "Operator", says: []string{operator}},
		"OperatorFin": {reason: "it writes its finalizer", by: person(operator), change: func(rel *v1alpha1.Release) { rel.Finalizers = []string{v1alpha1.Finalizer} }, want: map[string]string{list: "="}},
	})
}

func unproven(because string) func(*testing.T, *v1alpha1.Release) {
	return func(t *testing.T, rel *v1alpha1.Release) {
		t.Helper()
		if known, why := provenAuthors(t, rel); known || why != "the receipt of the authors is "+because {
			t.Errorf("the authors are proven (%v) or not because %s", known, why)
		}
	}
}
