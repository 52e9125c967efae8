// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

// shippedUser is the operator in the manifests.
const shippedUser = "system:serviceaccount:countersign-system:countersign-operator"

// Manifests are what has to stand in the API server.
type Manifests struct {
	Policies []admissionregistrationv1.ValidatingAdmissionPolicy
	Bindings []admissionregistrationv1.ValidatingAdmissionPolicyBinding
	Webhook  admissionregistrationv1.MutatingWebhookConfiguration
}

// ReadManifests reads the manifests of policies and of the webhook's
// configuration for an operator of the given name.
func ReadManifests(policies fs.FS, configuration []byte, operatorUser string) (*Manifests, error) {
	m := &Manifests{}
	names, err := fs.Glob(policies, "*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list the policies: %w", err)
	}
	for _, name := range names {
		raw, err := fs.ReadFile(policies, name)
		if err != nil {
			return nil, fmt.Errorf("read policy: %w", err)
		}
		if err := m.add(bytes.ReplaceAll(raw, []byte(shippedUser), []byte(operatorUser))); err != nil {
			return nil, fmt.Errorf("read policy %s: %w", name, err)
		}
	}
	if err := m.add(configuration); err != nil {
		return nil, fmt.Errorf("read the webhook's configuration: %w", err)
	}
	if len(m.Policies) == 0 || len(m.Bindings) == 0 || len(m.Webhook.Webhooks) == 0 {
		return nil, errors.New("the manifests have no policies, no bindings or no webhooks")
	}
	return m, nil
}

func (m *Manifests) add(raw []byte) error {
	decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(raw), 4096)
	for {
		var document json.RawMessage
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := m.addDocument(document); err != nil {
			return err
		}
	}
}

func (m *Manifests) addDocument(raw []byte) error {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	var kind metav1.TypeMeta
	if err := json.Unmarshal(raw, &kind); err != nil {
		return err
	}
	switch kind.Kind {
	case "ValidatingAdmissionPolicy":
		m.Policies = append(m.Policies, admissionregistrationv1.ValidatingAdmissionPolicy{})
		return strictly(raw, &m.Policies[len(m.Policies)-1])
	case "ValidatingAdmissionPolicyBinding":
		m.Bindings = append(m.Bindings, admissionregistrationv1.ValidatingAdmissionPolicyBinding{})
		return strictly(raw, &m.Bindings[len(m.Bindings)-1])
	case "MutatingWebhookConfiguration":
		return strictly(raw, &m.Webhook)
	}
	return nil
}

func strictly(raw []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}
