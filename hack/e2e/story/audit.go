// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package story

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"
)

// Request is one line of the API server's audit log.
type Request struct {
	User, Verb, Resource, Subresource, Namespace, Name string

	Code           int
	Received, Done time.Time
}

// Requests reads an audit log, in the order in which the requests ended.
func Requests(file string) ([]Request, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []Request
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e struct {
			Stage string
			Verb  string
			User  struct{ Username string }
			// ImpersonatedUser is whom the request was made as.
			ImpersonatedUser struct{ Username string }

			ObjectRef      struct{ Resource, Subresource, Namespace, Name string }
			ResponseStatus struct{ Code int }

			RequestReceivedTimestamp, StageTimestamp time.Time
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			continue // the last line may be half written
		}
		if e.Stage != "ResponseComplete" && e.Verb != "watch" {
			continue
		}
		if e.ImpersonatedUser.Username != "" {
			e.User.Username = e.ImpersonatedUser.Username // such as the probes of the self-test
		}
		all = append(all, Request{
			User: e.User.Username, Verb: e.Verb, Resource: e.ObjectRef.Resource, Subresource: e.ObjectRef.Subresource,
			Namespace: e.ObjectRef.Namespace, Name: e.ObjectRef.Name, Code: e.ResponseStatus.Code,
			Received: e.RequestReceivedTimestamp, Done: e.StageTimestamp,
		})
	}
	return all, lines.Err()
}

// Between are the requests that a user made from one moment to another.
func Between(all []Request, user string, from, to time.Time) []Request {
	var out []Request
	for _, r := range all {
		if r.User == user && !r.Received.Before(from) && r.Received.Before(to) {
			out = append(out, r)
		}
	}
	return out
}

// Switches are the times at which the operator had written a Service's selector,
// one for each switch of the Release.
func Switches(all []Request, operator, namespace, service string) []time.Time {
	var out []time.Time
	for _, r := range all {
		if r.User == operator && r.Verb == "patch" && r.Resource == "services" && r.Namespace == namespace && r.Name == service && r.Code == 200 {
			out = append(out, r.Done)
		}
	}
	return out
}

// LastVote is when the last vote on a Release before a moment was written.
func LastVote(all []Request, users []string, namespace, release string, before time.Time) (time.Time, error) {
	var last time.Time
	for _, r := range all {
		if slices.Contains(users, r.User) && r.Verb == "patch" && r.Resource == "releases" && r.Subresource == "" &&
			r.Namespace == namespace && r.Name == release && r.Code == 200 && r.Done.Before(before) && r.Done.After(last) {
			last = r.Done
		}
	}
	if last.IsZero() {
		return last, fmt.Errorf("the audit log has no vote on Release %s/%s before %s", namespace, release, before)
	}
	return last, nil
}
