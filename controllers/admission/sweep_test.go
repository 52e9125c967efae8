// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The operator frees slots whose votes have no effect any more, and no others.
func TestSweep(t *testing.T) {
	by := person(operator)
	earlier := voted(t, "bob", qa, another)
	slot := drop(vote+"bob", stamp+"bob", comment+"bob")
	cases(t, map[string]write{
		"Earlier":     {reason: "sec/29: a vote on earlier content makes room", by: by, was: stored(t, earlier, set(comment+"bob", "x")), change: slot, want: map[string]string{vote + "bob": "-", stamp + "bob": "-", comment + "bob": "-"}},
		"Withdrawn":   {reason: "sec/29: so does one that was withdrawn", by: by, was: stored(t, voted(t, "bob", qa, "withdrawn")), change: drop(stamp + "bob"), want: map[string]string{stamp + "bob": "-"}},
		"Unreadable":  {reason: "sec/29: and a receipt that names nobody", by: by, was: stored(t, set(stamp+"bob", "?")), change: drop(stamp + "bob"), want: map[string]string{stamp + "bob": "-"}},
		"Several":     {reason: "several at once", by: by, was: stored(t, earlier, voted(t, "eve", "eve@corp", another)), change: drop(vote+"bob", stamp+"bob", vote+"eve", stamp+"eve"), want: map[string]string{vote + "eve": "-", stamp + "bob": "-"}},
		"Counts":      {reason: "sec/36: not what counts", by: by, was: stored(t, voted(t, "bob", qa, candidate)), change: slot, warns: "was kept", want: map[string]string{vote + "bob": "=", stamp + "bob": "="}, check: counts("bob=" + qa + " approve")},
		"Veto":        {reason: "sec/36: least of all a rejection", by: by, was: stored(t, voted(t, "carol", carol, reject)), change: drop(vote+"carol", stamp+"carol"), warns: "was kept", check: counts("carol=" + carol + " reject")},
		"OfActive":    {reason: "nor what let the active content through", by: by, was: stored(t, earlier, activeIs(another)), change: slot, warns: "was kept", want: map[string]string{vote + "bob": "=", stamp + "bob": "="}},
		"HalfReceipt": {reason: "not the receipt alone", by: by, was: stored(t, earlier), change: drop(stamp + "bob"), warns: "receipt", want: map[string]string{stamp + "bob": "="}},
		"HalfVote":    {reason: "nor the vote alone", by: by, was: stored(t, earlier), change: drop(vote + "bob"), warns: "was kept", want: map[string]string{vote + "bob": "="}},
		"Other":       {reason: "sec/36: nobody else does so", by: person("eve@corp"), was: stored(t, earlier), change: slot, warns: "was kept", want: map[string]string{vote + "bob": "=", stamp + "bob": "="}},
		"Adds":        {reason: "the operator never votes", by: by, was: stored(t, earlier), change: both(slot, set(vote+"x", candidate)), refused: "Bot"},

		"Glass":       {reason: "sec/29: break-glass for earlier content", by: by, was: stored(t, broke(t, "erin", erin), func(rel *v1alpha1.Release) { rel.Status.Candidate.Digest = another }), change: drop(glass+"erin", glassStamp+"erin"), want: map[string]string{glass + "erin": "-", glassStamp + "erin": "-"}},
		"GlassCounts": {reason: "not what counts", by: by, policies: []client.Object{emergencyPolicy()}, was: stored(t, broke(t, "erin", erin)), change: drop(glass+"erin", glassStamp+"erin"), warns: "was kept", check: shattered("erin=" + erin + " INC-1")},
	})
}

func activeIs(digest string) func(*v1alpha1.Release) {
	return func(rel *v1alpha1.Release) {
		rel.Status.Active = &v1alpha1.ActiveStatus{Content: v1alpha1.Content{Digest: digest}}
	}
}
