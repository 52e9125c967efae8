// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// ServiceRef names a Service that follows the active colour.
// +kubebuilder:validation:XValidation:rule="!has(self.preview) || self.preview != self.name",message="services[].preview must differ from services[].name"
// +kubebuilder:validation:XValidation:rule="!has(self.ports) || self.ports.size() < 2 || self.ports.all(p, has(p.name) && self.ports.exists_one(q, has(q.name) && q.name == p.name))",message="of several services[].ports each needs a name that no other has: set services[].ports[].name"
type ServiceRef struct {
	// name of the Service in the Release's namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=55
	// +kubebuilder:validation:Pattern=`^[a-z]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`
	// preview is the name of the Service that leads to the candidate. The
	// operator creates it with the ports of the active one. Unset means
	// <name>-preview.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z]([-a-z0-9]*[a-z0-9])?$`
	Preview string `json:"preview,omitempty"`
	// ports of the Service. When it does not exist, the operator makes it with
	// these: of type ClusterIP, leading nowhere until the first content is let
	// through. When it exists, it has to have these. Unset means that people make
	// it, with ports of their choice.
	// +optional
	// +listType=map
	// +listMapKey=port
	// +listMapKey=protocol
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Ports []ServicePort `json:"ports,omitempty"`
}

// PreviewName is the name of the preview Service.
func (s ServiceRef) PreviewName() string {
	if s.Preview != "" {
		return s.Preview
	}
	return s.Name + "-preview"
}

// ServicePort is a port of a Service that the operator makes.
// +kubebuilder:validation:XValidation:rule="!has(self.targetPort) || type(self.targetPort) == string || (self.targetPort >= 1 && self.targetPort <= 65535)",message="services[].ports[].targetPort is a number from 1 to 65535, or the name of a container port"
type ServicePort struct {
	// name of the port. Of several, each has to have one.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name,omitempty"`
	// port that clients connect to.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port"`
	// targetPort of the Pods: a number, or the name of a container port of the
	// template. Unset means the same number as port.
	// +optional
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=15
	// +kubebuilder:validation:Pattern=`^([a-z0-9]+-)*[a-z0-9]*[a-z][a-z0-9]*(-[a-z0-9]+)*$`
	TargetPort *intstr.IntOrString `json:"targetPort,omitempty"`
	// protocol of it. Defaults to TCP.
	// +optional
	// +default="TCP"
	// +kubebuilder:default=TCP
	// +kubebuilder:validation:Enum=TCP;UDP;SCTP
	Protocol corev1.Protocol `json:"protocol,omitempty"`
	// appProtocol is what is spoken over it, as in a Service: a name that IANA
	// knows, such as https, or one with a prefix, such as kubernetes.io/h2c.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?$`
	AppProtocol string `json:"appProtocol,omitempty"`
}

// asServed is the port as the API server has it once it filled in what is unset.
func (p ServicePort) asServed() corev1.ServicePort {
	out := corev1.ServicePort{Name: p.Name, Port: p.Port, Protocol: p.Protocol, TargetPort: intstr.FromInt32(p.Port)}
	if p.TargetPort != nil {
		out.TargetPort = *p.TargetPort
	}
	if p.AppProtocol != "" {
		out.AppProtocol = &p.AppProtocol
	}
	if out.Protocol == "" {
		out.Protocol = corev1.ProtocolTCP
	}
	return out
}

// ServedPorts are the ports as the API server has them; nil if none are written.
func (s ServiceRef) ServedPorts() (ports []corev1.ServicePort) {
	for _, p := range s.Ports {
		ports = append(ports, p.asServed())
	}
	return ports
}
