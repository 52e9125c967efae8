// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// ConfigKind is a kind of object that a Pod template takes configuration from.
// +kubebuilder:validation:Enum=ConfigMap;Secret
type ConfigKind string

// What a Pod template takes configuration from.
const (
	ConfigMap ConfigKind = "ConfigMap"
	Secret    ConfigKind = "Secret"
)

// ConfigSpec says how ConfigMaps and Secrets are part of the content.
type ConfigSpec struct {
	// snapshot makes what ConfigMaps and Secrets hold part of what is approved:
	// those that the template refers to are copied for each candidate, the
	// copies never change, and the Pods use the copies. A colour keeps its own,
	// also after going back. When false, the Pods use the objects themselves,
	// whatever these hold by then: an approval covers their names only, and
	// because nobody knows who changes them, one more person has to approve.
	// Unset means true.
	// +optional
	Snapshot *bool `json:"snapshot,omitempty"`
	// live are objects that the Pods use themselves although snapshot is true,
	// such as a certificate that is renewed while it is in use. An approval
	// covers their names only, and one more person has to approve.
	// +optional
	// +listType=map
	// +listMapKey=kind
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Live []ConfigRef `json:"live,omitempty"`
}

// ConfigRef names a ConfigMap or Secret in the Release's namespace.
type ConfigRef struct {
	// kind of the object.
	// +required
	Kind ConfigKind `json:"kind"`
	// name of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// ConfigCopy is a ConfigMap or Secret that belongs to a content, and the copy
// that its Pods use.
type ConfigCopy struct {
	// kind of both.
	Kind ConfigKind `json:"kind"`
	// name that the template says.
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// copy is the name of the copy.
	// +kubebuilder:validation:MaxLength=253
	Copy string `json:"copy"`
	// hash of what it holds: of a ConfigMap its SHA-256, of a Secret an HMAC
	// with a key of the operator, so that it tells nothing of what is secret.
	// +kubebuilder:validation:MaxLength=80
	Hash string `json:"hash"`
	// absent is true when there is no such object, which the template allows by
	// optional. The copy is empty then, so that an object that is made later
	// does not become part of the content.
	// +optional
	Absent bool `json:"absent,omitempty"`
}

// SnapshotsConfig tells whether ConfigMaps and Secrets are copied.
func (s *ReleaseSpec) SnapshotsConfig() bool {
	return s.Config == nil || s.Config.Snapshot == nil || *s.Config.Snapshot
}
