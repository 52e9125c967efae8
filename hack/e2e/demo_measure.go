// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/hack/cluster/load"
	"github.com/countersign/countersign/hack/cluster/local"
	"github.com/countersign/countersign/hack/e2e/operator"
	"github.com/countersign/countersign/hack/e2e/story"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// fallSick tells every Pod of the active colour to answer with errors.
func (d *demo) fallSick(ctx context.Context) {
	rel := d.current()
	if d.Err() != nil {
		return
	}
	var pods corev1.PodList
	err := d.Client.List(ctx, &pods, client.InNamespace("shop"), ofActive(rel))
	if err != nil {
		d.Fail("list the Pods: %w", err)
		return
	}
	d.sickAt = time.Now()
	for i := range pods.Items {
		pod := &pods.Items[i]
		if pod.DeletionTimestamp != nil {
			continue
		}
		if d.real {
			d.Say("POST %s", sickURL(pod))
			err = postSick(ctx, d.cluster, pod)
		} else {
			err = d.becomeUnready(ctx, pod)
		}
		if err != nil {
			d.Fail("make Pod %s sick: %w", pod.Name, err)
			return
		}
	}
}

// ofActive are the labels of the Pods of the active content.
func ofActive(rel *v1alpha1.Release) client.MatchingLabels {
	return client.MatchingLabels{v1alpha1.ReleaseLabel: rel.Name, v1alpha1.RevisionLabel: rel.Status.Active.Revision}
}

func sickURL(pod *corev1.Pod) string { return fmt.Sprintf("http://%s:8080/sick", pod.Status.PodIP) }

// postSick makes a Pod answer with errors.
func postSick(ctx context.Context, c *local.Cluster, pod *corev1.Pod) error {
	inside := &http.Client{Transport: &http.Transport{DialContext: c.DialContext, DisableKeepAlives: true}, Timeout: 5 * time.Second}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, sickURL(pod), http.NoBody)
	if err != nil {
		return err
	}
	response, err := inside.Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// becomeUnready is all that a Pod that does not run can do.
func (d *demo) becomeUnready(ctx context.Context, pod *corev1.Pod) error {
	d.Say("Pod %s is not ready any more", pod.Name)
	base := client.MergeFrom(pod.DeepCopy())
	for i := range pod.Status.Conditions {
		if c := &pod.Status.Conditions[i]; c.Type == corev1.PodReady {
			c.Status = corev1.ConditionFalse
		}
	}
	return d.Client.Status().Patch(ctx, pod, base)
}

// conclude checks the figures and prints the last line. Times are taken from the
// API server's audit log: when the deciding vote and the Service were written.
func (d *demo) conclude(sum load.Summary) error {
	all, err := story.Requests(d.cluster.AuditLog())
	if err != nil {
		return err
	}
	rel := d.current()
	promotions, rollbacks := 0, 0
	for _, h := range rel.Status.History {
		switch h.Reason {
		case v1alpha1.SwitchPromote:
			promotions++
		case v1alpha1.SwitchRollback:
			rollbacks++
		}
	}
	written := story.Switches(all, operator.User, "shop", "shop")
	if len(written) < 4 {
		return fmt.Errorf("the audit log has %d writes of Service shop, want at least one for each of 4 switches", len(written))
	}
	written = written[len(written)-4:] // the first ones claimed the Service
	var waits []time.Duration
	for _, at := range written[:3] {
		vote, err := story.LastVote(all, []string{"alice@example.com", "bob@example.com"}, "shop", "shop", at)
		if err != nil {
			return err
		}
		waits = append(waits, at.Sub(vote))
	}
	slices.Sort(waits)
	requests := d.requestsOfCycle(all, written[0], written[1])
	fmt.Printf("# API requests of the operator for the whole cycle of version 2, applied to finished: %d\n", requests)
	failed := sum.Failed + sum.Unexpected
	verdict := "ok"
	if failed > 0 || d.real == (sum.Sent == 0) || promotions != 3 || rollbacks != 1 {
		verdict = "FAILED"
	}
	fmt.Printf("demo: %s sent=%d failed=%d sick=%d promotions=%d rollbacks=%d vote_to_switch_ms=%.1f unhealthy_to_rollback_ms=%.0f requests_per_cycle=%d\n",
		verdict, sum.Sent, failed, sum.Sick, promotions, rollbacks,
		millis(waits[len(waits)/2]), millis(written[3].Sub(d.sickAt)), requests)
	if verdict != "ok" {
		return fmt.Errorf("the story did not end as it should")
	}
	return nil
}

// requestsOfCycle counts what the operator asked from the moment version 2 was
// applied until its observation had ended and version 3 was applied. Requests
// about its lease, and those of a replica that only follows, are not part of it.
func (d *demo) requestsOfCycle(all []story.Request, first, second time.Time) int {
	var applied []time.Time
	for _, r := range all {
		if r.User == "dev@example.com" && r.Verb == "patch" && r.Resource == "releases" && r.Code == 200 {
			applied = append(applied, r.Received)
		}
	}
	n := 0
	for i, from := range applied {
		if from.After(first) && from.Before(second) && i+1 < len(applied) {
			for _, r := range story.Between(all, operator.User, from, applied[i+1]) {
				if r.Resource != "leases" && r.Verb != "watch" {
					n++
				}
			}
			return n
		}
	}
	return n
}

// inOrder are the switches on record, the first one first, such as "Promote to blue".
func inOrder(history []v1alpha1.HistoryEntry) []string {
	switches := make([]string, 0, len(history))
	for _, h := range slices.Backward(history) {
		switches = append(switches, fmt.Sprintf("%s to %s", h.Reason, h.Colour))
	}
	return switches
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
