// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/admission"
	"github.com/countersign/countersign/controllers/receipt"
	jsonpatch "github.com/evanphx/json-patch/v5"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// webhook is the way by which people write Releases: the real webhook, with a
// key that the operator trusts.
type webhook struct {
	signer   *receipt.Signer
	handler  *admission.Webhook
	requests int
	// down: the webhook does not answer, and the API server fails closed.
	down bool
}

// keyFrom is a key that depends on its seed alone.
func keyFrom(seed string) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(strings.Repeat(seed, ed25519.SeedSize))[:ed25519.SeedSize])
}

// never keeps a reader from failing: the webhook's is not under test.
type never struct{}

func (never) cached(string)            {}
func (never) read(string) error        { return nil }
func (never) beforeWrite(string) error { return nil }
func (never) afterWrite(string) error  { return nil }

func newWebhook(s *sim) webhook {
	signer := receipt.NewSigner(keyFrom("k"))
	return webhook{signer: signer, handler: &admission.Webhook{
		Reader: &modelClient{actor: "webhook", server: s.server, faults: never{}},
		Signer: signer, Verifier: receipt.NewVerifier(signer.Public()), Cluster: clusterID, Now: s.now, OperatorUser: operatorPrefix + "1",
	}}
}

// user is somebody with credentials.
type user struct {
	name   string
	groups []string
	// impersonated users show no token of their own.
	impersonated bool
}

func (u user) info() authenticationv1.UserInfo {
	info := authenticationv1.UserInfo{Username: u.name, Groups: u.groups}
	if !u.impersonated {
		info.Extra = map[string]authenticationv1.ExtraValue{
			"authentication.kubernetes.io/credential-id": {"JTI=" + u.name},
		}
	}
	return info
}

// edit changes the Release as a user does: through admission. It tells what
// refused it.
func (s *sim) edit(u user, change func(*v1alpha1.Release)) error {
	have := s.release()
	if have == nil {
		return notFound(s.releaseKey())
	}
	next := have.DeepCopy()
	change(next)
	admitted, err := s.admitRelease(u, have, next)
	if err != nil {
		s.logf("%s is refused: %v", u.name, err)
		return err
	}
	_, err = s.server.update(u.name, admitted)
	if err != nil {
		s.logf("%s is refused: %v", u.name, err)
	}
	return err
}

// create brings the Release into being, through admission.
func (s *sim) create(u user, rel *v1alpha1.Release) error {
	admitted, err := s.admitRelease(u, nil, rel)
	if err != nil {
		return err
	}
	_, err = s.server.create(u.name, admitted)
	return err
}

// admitRelease is the Release as the webhook makes it.
func (s *sim) admitRelease(u user, before, after *v1alpha1.Release) (client.Object, error) {
	if s.down {
		return nil, apierrors.NewInternalError(fmt.Errorf("failed calling webhook"))
	}
	raw, err := json.Marshal(after)
	s.must(err)
	s.requests++
	req := ctrladmission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
		UID: types.UID(fmt.Sprintf("request-%d", s.requests)), Namespace: namespace, Name: releaseName,
		Operation: admissionv1.Create, UserInfo: u.info(), Object: runtime.RawExtension{Raw: raw},
	}}
	if before != nil {
		req.Operation = admissionv1.Update
		req.OldObject.Raw, err = json.Marshal(before)
		s.must(err)
	}
	response := s.handler.Handle(context.Background(), req)
	if !response.Allowed {
		return nil, apierrors.NewForbidden(kindRelease.resource(), releaseName, fmt.Errorf("%s", response.Result.Message))
	}
	return decodeAs(kindRelease, s.patched(raw, response))
}

func (s *sim) patched(raw []byte, response ctrladmission.Response) []byte {
	if len(response.Patches) == 0 {
		return raw
	}
	operations, err := json.Marshal(response.Patches)
	s.must(err)
	patch, err := jsonpatch.DecodePatch(operations)
	s.must(err)
	raw, err = patch.Apply(raw)
	s.must(err)
	return raw
}
