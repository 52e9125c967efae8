// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package jobcheck

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
)

const (
	// kindName is what the hash in a name is of.
	kindName = "countersign.dev/job/v1"
	// The names of Pods have at most 63 characters, of which Kubernetes picks six.
	maxName    = 57
	nameDigits = 20
	// maxTargets is how many Pods one Job is aimed at: more would not fit into its
	// environment and annotations.
	maxTargets = 500
)

// Run is one run of a check against one content.
type Run struct {
	Release, UID, Check, Digest string
	// Round of the candidate's checks, and Number of the run in it.
	Round, Number int32
}

// Name of the Job of a run: the same each time that it is asked for, so that no
// run happens twice, and another for each content, check, round and number.
func (r Run) Name() string {
	sum := sha256.New()
	for _, part := range []string{kindName, r.Release, r.UID, r.Check, r.Digest, fmt.Sprint(r.Round), fmt.Sprint(r.Number)} {
		_, _ = fmt.Fprintf(sum, "%d:%s,", len(part), part) // a hash takes everything
	}
	name := r.Release + "-" + r.Check
	name = strings.TrimRight(name[:min(len(name), maxName-nameDigits-1)], "-.")
	return name + "-" + hex.EncodeToString(sum.Sum(nil))[:nameDigits]
}

// Target is a Pod that a Job is aimed at.
type Target struct{ Pod, IP string }

// Targets are Pods as the annotation of a Job has them.
func Targets(pods []Target) string {
	pods = pods[:min(len(pods), maxTargets)]
	texts := make([]string, len(pods))
	for i, t := range pods {
		texts[i] = t.Pod + "=" + t.IP
	}
	return strings.Join(texts, ",")
}

// Addresses are those of the Pods in such an annotation.
func Addresses(targets string) string {
	var ips []string
	for text := range strings.SplitSeq(targets, ",") {
		if _, ip, is := strings.Cut(text, "="); is {
			ips = append(ips, ip)
		}
	}
	return strings.Join(ips, ",")
}

// Still tells whether all Pods of such an annotation are among those given.
// Without any it was aimed at nothing, and proves nothing.
func Still(targets string, pods []Target) bool {
	now := make(map[string]bool, len(pods))
	for _, t := range pods {
		now[t.Pod+"="+t.IP] = true
	}
	for text := range strings.SplitSeq(targets, ",") {
		if !now[text] {
			return false
		}
	}
	return true
}

// Environment of every container of a Job.
func Environment(rel *v1alpha1.Release, colour v1alpha1.Colour, digest, targets string) []corev1.EnvVar {
	previews := make([]string, len(rel.Spec.Services))
	for i, s := range rel.Spec.Services {
		previews[i] = s.PreviewName() + "." + rel.Namespace + ".svc"
	}
	return []corev1.EnvVar{
		{Name: v1alpha1.EnvRelease, Value: rel.Name},
		{Name: v1alpha1.EnvNamespace, Value: rel.Namespace},
		{Name: v1alpha1.EnvColour, Value: string(colour)},
		{Name: v1alpha1.EnvDigest, Value: digest},
		{Name: v1alpha1.EnvAddresses, Value: Addresses(targets)},
		{Name: v1alpha1.EnvPreviews, Value: strings.Join(previews, ",")},
	}
}
