// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package digest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	corev1 "k8s.io/api/core/v1"
)

// Each hash is over an object that says what it is of, so that one never passes
// for another. A change to what is covered, or how, needs a new version: it
// makes every vote void.
const (
	kindDigest   = "countersign.dev/digest/v1"
	kindRevision = "countersign.dev/revision/v1"
	kindContent  = "countersign.dev/content/v1"
	kindTemplate = "countersign.dev/template/v1"
	kindKept     = "countersign.dev/kept/v1"
)

// revisionDigits is the length of a revision: long enough that nobody finds two
// contents with one, and short enough for a label.
const revisionDigits = 32

// Service is an active Service, its preview Service and the ports of both.
type Service struct {
	Name    string `json:"name"`
	Preview string `json:"preview"`
	// Ports as the API server has them. nodePort is not covered.
	Ports []corev1.ServicePort `json:"ports"`
}

// Input is everything that an approval covers.
type Input struct {
	// Cluster id, namespace, name and UID of the Release: an approval holds for
	// one object only. None may be empty.
	Cluster, Namespace, Name, UID string
	// Sequence number of the candidate, 1 or more. It grows whenever content
	// changes, so that going back to earlier content needs votes again.
	Sequence int64
	// Template of the live Deployment, as the API server defaulted it.
	Template corev1.PodTemplateSpec
	// Services in the order of the spec.
	Services []Service
	// Config are the ConfigMaps and Secrets that belong to the content.
	Config []v1alpha1.ConfigCopy
	// Spec of the Release. template, replicas, previewReplicas, disruptionBudget,
	// revisionHistoryLimit and paused are not covered.
	Spec v1alpha1.ReleaseSpec
	// Policies that the approval covers, as approval.Demands returns them.
	Policies []approval.Policy
}

// Of is the digest that votes name: "sha256:" and 64 lower-case hex digits. It is
// an error if the Release is not identified or a value has no canonical form.
func Of(in Input) (string, error) {
	for _, id := range []struct{ what, value string }{
		{"cluster id", in.Cluster}, {"namespace", in.Namespace}, {"name", in.Name}, {"uid", in.UID},
	} {
		if id.value == "" {
			return "", fmt.Errorf("digest: the %s is not known", id.what)
		}
	}
	if in.Sequence < 1 {
		return "", fmt.Errorf("digest: the sequence number is %d, and the first candidate has 1", in.Sequence)
	}
	spec := asWritten(in.Spec)
	spec.Template = corev1.PodTemplateSpec{}
	sum, err := hash(struct {
		Kind      string                 `json:"kind"`
		Cluster   string                 `json:"cluster"`
		Namespace string                 `json:"namespace"`
		Name      string                 `json:"name"`
		UID       string                 `json:"uid"`
		Sequence  int64                  `json:"sequence,string"`
		Template  corev1.PodTemplateSpec `json:"template"`
		Services  []Service              `json:"services"`
		Config    []v1alpha1.ConfigCopy  `json:"config"`
		Spec      v1alpha1.ReleaseSpec   `json:"spec"`
		Policies  []approval.Policy      `json:"policies"`
	}{
		kindDigest, in.Cluster, in.Namespace, in.Name, in.UID, in.Sequence,
		colourless(in.Template), stable(in.Services), in.Config, spec, in.Policies,
	})
	if err != nil {
		return "", fmt.Errorf("digest: %w", err)
	}
	return "sha256:" + hex.EncodeToString(sum), nil
}

// Revision identifies the content of a spec as it is written, in 32 lower-case
// hex digits: all of it but replicas, previewReplicas, disruptionBudget,
// revisionHistoryLimit and paused. It names objects and tells that content changed;
// what is approved is told by Of alone.
func Revision(spec v1alpha1.ReleaseSpec) (string, error) {
	sum, err := hash(struct {
		Kind string               `json:"kind"`
		Spec v1alpha1.ReleaseSpec `json:"spec"`
	}{kindRevision, asWritten(spec)})
	if err != nil {
		return "", fmt.Errorf("revision: %w", err)
	}
	return hex.EncodeToString(sum)[:revisionDigits], nil
}

// ContentRevision identifies the content of a spec with what its ConfigMaps and
// Secrets hold. Without any it is the spec's own.
func ContentRevision(specRevision string, config []v1alpha1.ConfigCopy) (string, error) {
	if len(config) == 0 {
		return specRevision, nil
	}
	sum, err := hash(struct {
		Kind   string                `json:"kind"`
		Spec   string                `json:"spec"`
		Config []v1alpha1.ConfigCopy `json:"config"`
	}{kindContent, specRevision, config})
	if err != nil {
		return "", fmt.Errorf("revision: %w", err)
	}
	return hex.EncodeToString(sum)[:revisionDigits], nil
}

// TemplateHash identifies a live template without the operator's own marks:
// "sha256:" and 64 lower-case hex digits. It is the same in both colours.
func TemplateHash(template corev1.PodTemplateSpec) (string, error) {
	sum, err := hash(struct {
		Kind     string                 `json:"kind"`
		Template corev1.PodTemplateSpec `json:"template"`
	}{kindTemplate, colourless(template)})
	if err != nil {
		return "", fmt.Errorf("template hash: %w", err)
	}
	return "sha256:" + hex.EncodeToString(sum), nil
}

// Kept identifies content that is kept with the live template that it ran with:
// "sha256:" and 64 lower-case hex digits.
func Kept(content v1alpha1.Content, template corev1.PodTemplateSpec) (string, error) {
	sum, err := hash(struct {
		Kind     string                 `json:"kind"`
		Content  v1alpha1.Content       `json:"content"`
		Template corev1.PodTemplateSpec `json:"template"`
	}{kindKept, content, template})
	if err != nil {
		return "", fmt.Errorf("hash of kept content: %w", err)
	}
	return "sha256:" + hex.EncodeToString(sum), nil
}

// asWritten is a spec without what may change at any time.
func asWritten(spec v1alpha1.ReleaseSpec) v1alpha1.ReleaseSpec {
	spec.Replicas, spec.PreviewReplicas, spec.DisruptionBudget, spec.RevisionHistoryLimit = nil, nil, nil, nil
	spec.Paused = false
	return spec
}

// colourless is a template without the operator's own marks. The number of a
// restart is one only when it is a number: nothing else gets into a Pod unapproved.
func colourless(template corev1.PodTemplateSpec) corev1.PodTemplateSpec {
	template.Labels = maps.Clone(template.Labels)
	for _, label := range []string{v1alpha1.ReleaseLabel, v1alpha1.ColourLabel, v1alpha1.RevisionLabel} {
		delete(template.Labels, label)
	}
	if v1alpha1.ParseRestart(template.Annotations[v1alpha1.RestartsAnnotation]) > 0 {
		template.Annotations = maps.Clone(template.Annotations)
		delete(template.Annotations, v1alpha1.RestartsAnnotation)
	}
	return template
}

// stable are Services without what the API server picks.
func stable(services []Service) []Service {
	services = slices.Clone(services)
	for i := range services {
		services[i].Ports = slices.Clone(services[i].Ports)
		for k := range services[i].Ports {
			services[i].Ports[k].NodePort = 0
		}
	}
	return services
}

// hash is the SHA-256 of the canonical form of v without its empty lists.
func hash(v any) ([]byte, error) {
	canonical, err := Canonical(v)
	if err != nil {
		return nil, err
	}
	var tree any
	if err := json.Unmarshal(canonical, &tree); err != nil {
		return nil, fmt.Errorf("read JSON: %w", err)
	}
	if canonical, err = Canonical(prune(tree)); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(canonical)
	return sum[:], nil
}
