// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package digest

import corev1 "k8s.io/api/core/v1"

// Content is a live template as far as it is approved: without the operator's own
// marks. It is the same in both colours.
func Content(template corev1.PodTemplateSpec) corev1.PodTemplateSpec { return colourless(template) }

// Stable are the ports of a Service as far as they are approved: without what the API
// server picks.
func Stable(ports []corev1.ServicePort) []corev1.ServicePort {
	return stable([]Service{{Ports: ports}})[0].Ports
}
