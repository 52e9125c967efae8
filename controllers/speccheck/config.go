// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package speccheck

import (
	"fmt"
	"slices"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/snapshot"
)

// maxCopies is what the status of a Release can hold.
const maxCopies = 64

func configProblems(spec v1alpha1.ReleaseSpec) (problems []string) {
	copied, live := snapshot.Split(spec)
	if len(copied) > maxCopies {
		problems = append(problems, fmt.Sprintf(
			"spec.template, with the templates of checks, refers to %d ConfigMaps and Secrets that are copied, and %d can be; put some of them together, or name some in spec.config.live",
			len(copied), maxCopies))
	}
	if spec.Config == nil {
		return problems
	}
	for _, ref := range spec.Config.Live {
		if !slices.Contains(live, ref) {
			problems = append(problems, fmt.Sprintf(
				"spec.config.live names %s %s, to which spec.template does not refer, nor a template of a check; take it out", ref.Kind, ref.Name))
		}
	}
	return problems
}
