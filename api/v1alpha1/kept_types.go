// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// KeptContent is content that was let through and can be gone back to, also when
// no colour holds it any more.
type KeptContent struct {
	// digest of it.
	// +kubebuilder:validation:MaxLength=71
	Digest string `json:"digest"`
	// revision is the name of the ControllerRevision that holds it, in the Release's
	// namespace.
	// +kubebuilder:validation:MaxLength=63
	Revision string `json:"revision"`
	// hash of what that holds. With another one it is not gone back to.
	// +kubebuilder:validation:MaxLength=71
	Hash string `json:"hash"`
	// epoch of the switch that let it through.
	Epoch int64 `json:"epoch"`
	// since is when it was let through.
	Since metav1.Time `json:"since"`
	// beforeIrreversible is true when content that is marked irreversible was let
	// through after it, so that whoever asks to go back has to say that they know.
	// +optional
	BeforeIrreversible bool `json:"beforeIrreversible,omitempty"`
}

// KeptRequest is what a request to go back from the active content to a kept one
// has to say: the digests of both, and that something irreversible is in between,
// if it is. Empty when nothing is active, or the active content is the kept one.
func (s *ReleaseStatus) KeptRequest(k KeptContent) string {
	if s.Active == nil || s.Active.Digest == k.Digest {
		return ""
	}
	request := s.Active.Digest + "/" + k.Digest
	if s.Active.Irreversible || k.BeforeIrreversible {
		return IrreversiblePrefix + request
	}
	return request
}
