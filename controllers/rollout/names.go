// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import "github.com/countersign/countersign/api/v1alpha1"

// WorkloadName is the name of a colour's Deployment.
func WorkloadName(release string, c v1alpha1.Colour) string { return release + "-" + string(c) }
