// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval

import (
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
)

// Spent tells from the text of a receipt that what it is beside has no effect any
// more: it was withdrawn, or is about none of the contents, or cannot be read. The
// admission policies look at no more of it either. An approval that is spent is a
// record only, and its slot can be given to somebody else.
func Spent(receipt string, contents ...string) bool {
	for _, digest := range contents {
		if digest != "" && (strings.Contains(receipt, " "+digest+" ") || strings.Contains(receipt, " "+v1alpha1.RejectPrefix+digest+" ")) {
			return false
		}
	}
	return true
}

// Contents are those that a vote on a Release has, or had, an effect on.
func Contents(st *v1alpha1.ReleaseStatus) (digests []string) {
	if st.Candidate != nil {
		digests = append(digests, st.Candidate.Digest)
	}
	if st.Active != nil {
		digests = append(digests, st.Active.Digest)
	}
	if st.Former != nil {
		digests = append(digests, st.Former.Digest)
	}
	return digests
}

// Emergencies are the contents that break-glass or a review can be about.
func Emergencies(st *v1alpha1.ReleaseStatus) (digests []string) {
	if st.Candidate != nil {
		digests = append(digests, st.Candidate.Digest)
	}
	for i := range st.Reviews {
		digests = append(digests, st.Reviews[i].Digest)
	}
	return digests
}
