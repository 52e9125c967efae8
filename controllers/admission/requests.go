// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"slices"

	"github.com/countersign/countersign/api/v1alpha1"
)

// request is something that is asked for by an annotation whose value names what
// it is about.
type request struct {
	key string
	// subjects are the values that can be asked with now, the usual one first; none,
	// with the reason and what to do instead, if nothing can be asked.
	subjects func(*v1alpha1.Release) (values []string, whyNot string)
	// also are other values that it can be asked with as well: form says which they
	// are. nil if there are none.
	also func(rel *v1alpha1.Release, value string) bool
	form string
}

func requests() []request {
	return []request{
		{key: v1alpha1.RollbackAnnotation, subjects: rollbackFrom}, {key: v1alpha1.AbortAnnotation, subjects: abortable},
		{key: v1alpha1.RetryAnnotation, subjects: retryable},
		{key: v1alpha1.RestartAnnotation, subjects: restartable, also: numbersRestart,
			form: "; it is the digest that serves, a slash, and a number without leading zeros that is larger than the last one"},
	}
}

// stampRequests puts on record who asks, and refuses what is about something
// else than what is there: a request that comes late must not hit what came
// since. Whoever may write the Release may ask. One that is left out is taken
// back, unless it is by a program that did not ask: a sync that drops what is not in
// Git decides nothing. What a request brought about stays.
func (w *Webhook) stampRequests(_ context.Context, r *review) error {
	for _, q := range requests() {
		by := q.key + v1alpha1.RequesterSuffix
		was, had := r.before(q.key)
		now, has := r.now.Annotations[q.key]
		switch {
		case had && has && was == now:
			r.restoreRequester(by)
		case !has && had && isBot(r.user) && r.was.Annotations[by] != r.user:
			r.restore(q.key)
			r.restore(by)
			r.warn("annotation %s was kept: %s did not ask for it and does not take it back; who may write the Release does with %s", q.key, r.user, r.annotate(q.key+"-"))
		case !has:
			delete(r.annotations, by)
		default:
			if err := r.checkRequest(q, now); err != nil {
				return err
			}
			r.annotations[by] = r.user
		}
	}
	return nil
}

func (r *review) checkRequest(q request, value string) error {
	if r.creating() {
		return refuse("AtCreation", "a Release cannot be created with %s in it; take the annotation out of the manifest", q.key)
	}
	subjects, whyNot := q.subjects(r.was)
	switch {
	case len(subjects) == 0:
		return refuse("Request", "%s", whyNot)
	case !slices.Contains(subjects, value) && (q.also == nil || !q.also(r.was, value)):
		return refuse("Request", "%s=%s is not about what is there now%s; look again, and if it is still to be done: %s", q.key, value, q.form, r.annotate(q.key+"="+subjects[0]))
	}
	return nil
}

// restoreRequester leaves who asked on record.
func (r *review) restoreRequester(key string) {
	was, had := r.before(key)
	if now, has := r.now.Annotations[key]; was != now || had != has {
		r.restore(key)
		r.warn("annotation %s is written by admission only and was left as it is", key)
	}
}

// rollbackFrom is the active content, if its predecessor stands ready to be gone back
// to, and the active content with each of those that are kept.
func rollbackFrom(rel *v1alpha1.Release) (requests []string, whyNot string) {
	st := &rel.Status
	if st.Active == nil {
		return nil, "nothing was let through on Release " + rel.Name + " yet, so there is nothing to go back from; to see what is there: " + describe(rel)
	}
	if st.Former != nil || st.KeptOrigin() != nil {
		requests = append(requests, st.Active.RollbackRequest())
	}
	for _, k := range st.Kept {
		if request := st.KeptRequest(k); request != "" {
			requests = append(requests, request)
		}
	}
	if len(requests) == 0 {
		return nil, "Release " + rel.Name + " serves " + st.Active.Digest + " and keeps nothing to go back to: the content before was gone back to already, its time (spec.keepIdleSeconds, spec.revisionHistoryLimit) is over, or other content took its place; apply the content that is to run and have it approved; what was let through before: " + describe(rel)
	}
	return requests, ""
}

// abortable is the candidate, if it was not given up yet.
func abortable(rel *v1alpha1.Release) (names []string, whyNot string) {
	switch c := rel.Status.Candidate; {
	case c == nil:
		return nil, "Release " + rel.Name + " has no candidate to give up; what serves is gone back from with " + v1alpha1.RollbackAnnotation + ": " + describe(rel)
	case c.Halted != nil:
		return nil, "the candidate of Release " + rel.Name + " was given up already: " + c.Halted.Message
	default:
		return []string{c.Name()}, ""
	}
}

// retryable is the candidate, if it was given up before it had any traffic.
func retryable(rel *v1alpha1.Release) (names []string, whyNot string) {
	switch c := rel.Status.Candidate; {
	case c == nil:
		return nil, "Release " + rel.Name + " has no candidate to try again; apply what is to run: " + describe(rel)
	case c.Halted == nil:
		return nil, "the candidate of Release " + rel.Name + " was not given up; if it was rejected, whoever did has to withdraw that: " + describe(rel)
	case !c.Halted.Retryable():
		return nil, "the candidate of Release " + rel.Name + " is not tried again as it is (" + c.Halted.Reason + "): " + c.Halted.Message
	default:
		return []string{c.Name()}, ""
	}
}

// restartable is the active content, with the next number.
func restartable(rel *v1alpha1.Release) (requests []string, whyNot string) {
	switch a := rel.Status.Active; {
	case a == nil:
		return nil, "nothing was let through on Release " + rel.Name + " yet, so there are no Pods to make anew; to see what is there: " + describe(rel)
	case a.RestartNumber(a.RestartRequest()) == 0:
		return nil, "the Pods of Release " + rel.Name + " were made anew by the largest number that there is; to make them anew all the same, apply the template with another annotation and have it approved"
	default:
		return []string{a.RestartRequest()}, ""
	}
}

// numbersRestart tells whether a request has a larger number than the last one.
func numbersRestart(rel *v1alpha1.Release, value string) bool {
	return rel.Status.Active.RestartNumber(value) > 0
}

func describe(rel *v1alpha1.Release) string {
	return "kubectl describe release " + rel.Name + " -n " + rel.Namespace
}
