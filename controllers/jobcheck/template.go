// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package jobcheck

import (
	"fmt"

	"github.com/countersign/countersign/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/json"
)

// maxTemplate is how large a template may be, in bytes.
const maxTemplate = 32 << 10

// Template of the Pods of a Job. The error says what of it is no Pod template.
func Template(c *v1alpha1.JobCheck) (corev1.PodTemplateSpec, error) {
	var t corev1.PodTemplateSpec
	if n := len(c.Template.Raw); n > maxTemplate {
		return t, fmt.Errorf("it has %d bytes, and may have %d", n, maxTemplate)
	}
	if len(c.Template.Raw) == 0 {
		return t, nil
	}
	strict, err := json.UnmarshalStrict(c.Template.Raw, &t)
	if err == nil && len(strict) > 0 {
		err = strict[0]
	}
	if err != nil {
		return corev1.PodTemplateSpec{}, err
	}
	return t, nil
}
