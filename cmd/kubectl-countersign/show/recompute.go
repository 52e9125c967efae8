// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package show

import (
	"cmp"
	"fmt"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/digest"
	"github.com/countersign/countersign/controllers/snapshot"
)

// Recomputed is the candidate's digest as the plugin computes it.
type Recomputed struct {
	// Matches is true when it is the one that is voted on.
	Matches bool `json:"matches"`
	// Computed is empty if it could not be.
	Computed string `json:"computed,omitempty"`
	// Why says what the result rests on, or what keeps it from being computed.
	Why []string `json:"why,omitempty"`
}

// recompute takes the digest of what the API server has, as the operator does.
func recompute(w *World) (r Recomputed) {
	c := w.status().Candidate
	cluster := cmp.Or(w.Cluster, claimedCluster(&w.Release))
	missing := func(what string) { r.Why = append(r.Why, what) }
	if cluster == "" {
		missing("the id of the cluster is not known: ask for the right to get namespace kube-system")
	}
	d := w.Deployments[c.Colour]
	switch {
	case c.Digest == "":
		missing("the candidate has no digest yet; look again when it stands in its colour: " + Line(&w.Release, "status"))
	case d == nil:
		missing(fmt.Sprintf("the Deployment of %s could not be read: ask for ClusterRole view in namespace %s", c.Colour, w.Release.Namespace))
	}
	services := make([]digest.Service, 0, len(w.Release.Spec.Services))
	for _, ref := range w.Release.Spec.Services {
		svc := w.Services[ref.Name]
		if svc == nil {
			missing(fmt.Sprintf("Service %s could not be read: ask for ClusterRole view in namespace %s", ref.Name, w.Release.Namespace))
			continue
		}
		services = append(services, digest.Service{Name: ref.Name, Preview: ref.PreviewName(), Ports: svc.Spec.Ports})
	}
	covered, _, err := w.covered()
	if err != nil {
		missing(err.Error())
	}
	if len(r.Why) > 0 {
		return r
	}
	computed, err := digest.Of(digest.Input{
		Cluster: cluster, Namespace: w.Release.Namespace, Name: w.Release.Name, UID: string(w.Release.UID), Sequence: c.Sequence,
		Template: d.Spec.Template, Services: services, Config: c.Config, Spec: w.Release.Spec, Policies: covered,
	})
	if err != nil {
		missing(err.Error())
		return r
	}
	r.Computed, r.Matches = computed, computed == c.Digest
	if !r.Matches {
		missing("do not approve it: what stands there is not what the digest says, or this plugin is of another version than the operator")
		missing("look again in a moment, in case it is just being changed: " + Line(&w.Release, "diff"))
	}
	w.copies(c, &r)
	return r
}

// copies are held against the hashes that the digest covers.
func (w *World) copies(c *v1alpha1.CandidateStatus, r *Recomputed) {
	secrets, unread := 0, 0
	for _, copied := range c.Config {
		m := w.ConfigMaps[copied.Copy]
		switch {
		case copied.Kind == v1alpha1.Secret:
			secrets++
		case m == nil:
			unread++
		case snapshot.NewHasher(nil).ConfigMap(m) != copied.Hash:
			r.Matches = false
			r.Why = append(r.Why, fmt.Sprintf("ConfigMap %s does not hold what the digest covers of %s: do not approve it", copied.Copy, copied.Name))
		}
	}
	if secrets > 0 {
		r.Why = append(r.Why, fmt.Sprintf("of %s only the operator can tell that it holds what its hash says: it has the key", plural(secrets, "Secret")))
	}
	if unread > 0 {
		r.Why = append(r.Why, fmt.Sprintf("%s could not be read and was not looked into", plural(unread, "ConfigMap")))
	}
}
