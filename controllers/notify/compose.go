// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/rollout"
	"github.com/countersign/countersign/controllers/telemetry"
)

// typePrefix is what the types of all notifications begin with; the reason follows.
const typePrefix = "dev.countersign.release."

// data is what a notification says.
type data struct {
	Namespace string `json:"namespace"`
	Release   string `json:"release"`
	Reason    string `json:"reason"`
	Warning   bool   `json:"warning"`
	Digest    string `json:"digest,omitempty"`
	Phase     string `json:"phase,omitempty"`
	// Message is that of the event, Meaning and Next what the catalogue says of it.
	Message string `json:"message"`
	Meaning string `json:"meaning,omitempty"`
	Next    string `json:"next,omitempty"`
}

// compose makes a CloudEvent in structured mode. Its id follows from what happened:
// what is told of the same version of a Release twice has the same.
func (s *Sender) compose(rel *v1alpha1.Release, n rollout.Notice) (message, error) {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s\x00%s\x00%s", s.options.Cluster, rel.UID, rel.ResourceVersion, n.Reason, n.Message))
	m := message{id: hex.EncodeToString(sum[:16]), about: append(telemetry.LogValues(rel), "reason", n.Reason), since: s.options.Now()}
	explained, _ := rollout.Explain(n.Reason)
	digest := telemetry.Digest(&rel.Status)
	e := cloudevents.New()
	e.SetID(m.id)
	e.SetType(typePrefix + n.Reason)
	e.SetSource(fmt.Sprintf("/clusters/%s/namespaces/%s/releases/%s", s.options.Cluster, rel.Namespace, rel.Name))
	if digest != "" {
		e.SetSubject(digest)
	}
	e.SetTime(m.since)
	err := e.SetData("application/json", data{
		Namespace: rel.Namespace, Release: rel.Name, Reason: n.Reason, Warning: n.Warning, Digest: digest, Phase: string(rel.Status.Phase),
		Message: n.Message, Meaning: explained.Means, Next: explained.NextFor(rel.Namespace, rel.Name),
	})
	if err != nil {
		return m, fmt.Errorf("compose the notification: %w", err)
	}
	if err := e.Validate(); err != nil {
		return m, fmt.Errorf("compose the notification: %w", err)
	}
	m.body, err = json.Marshal(e)
	return m, err
}
