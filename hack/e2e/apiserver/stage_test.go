// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"
)

// evenName is a username with every kind of character that can be on record.
const evenName = "Even.1_2@corp:x/y#z+a=b-c"

// everyRight is a group that those are in who have no group of their own.
const everyRight = "every-right"

// newStage is a namespace in which everybody has every right that RBAC can give,
// but one who may only approve: what is refused there is refused by a policy.
func newStage(t *testing.T) *stage {
	t.Helper()
	w := policies.start(t)
	s := &stage{world: w, namespace: w.namespace(t), actors: map[string]*actor{}}
	s.install(t, []*unstructured.Unstructured{
		object(t, "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: robot, namespace: "+s.namespace+"}"),
		object(t, "apiVersion: countersign.dev/v1alpha1\nkind: ApprovalPolicy\nmetadata: {name: "+s.namespace+"}\n"+
			"spec: {namespaces: ["+s.namespace+"], rules: [{name: any, count: 1, groups: [qa, security, developers]}]}"),
	})
	rights := []string{"group:" + everyRight, "group:system:serviceaccounts", "group:sre-oncall", "system:serviceaccount:" + s.namespace + ":robot"}
	for _, name := range []string{"admin", "dev", "dana", "mallory", "alice", "bob", "erin"} {
		s.actors[name] = w.as(t, name)
		rights = append(rights, email(name))
	}
	s.allow(t, s.namespace, "cluster-admin", rights...)
	s.allow(t, s.namespace, "release-approver", email("approver"))
	s.actors["operator"] = w.asAccount(t, systemNamespace, operatorAccount)
	s.actors["robot"] = w.asAccount(t, s.namespace, "robot")
	s.actors["mallory as alice"] = w.impersonating(t, "mallory", rest.ImpersonationConfig{UserName: email("alice")})
	s.actors["mallory as robot"] = w.impersonating(t, "mallory", rest.ImpersonationConfig{UserName: "system:serviceaccount:" + s.namespace + ":robot"})
	s.actors["odd"] = s.person(t, "odd one")
	s.actors["even"] = s.person(t, evenName)
	s.actors["approver"] = s.impersonating(t, "admin", rest.ImpersonationConfig{
		UserName: email("approver"), Extra: map[string][]string{"authentication.kubernetes.io/credential-id": {"JTI=approver"}},
	})
	return s
}

// person is somebody with a token of their own, as the API server would see
// them if an issuer of such names were configured.
func (s *stage) person(t *testing.T, user string) *actor {
	return s.impersonating(t, "admin", rest.ImpersonationConfig{
		UserName: user, Groups: []string{"system:authenticated", everyRight},
		Extra: map[string][]string{"authentication.kubernetes.io/credential-id": {"JTI=" + user}},
	})
}

// impersonatingAs is somebody whom the API server takes for one on call.
func (s *stage) impersonatingAs(t *testing.T, user string, extra map[string][]string) *actor {
	return s.impersonating(t, "admin", rest.ImpersonationConfig{UserName: user, Groups: []string{"system:authenticated", "sre-oncall"}, Extra: extra})
}

// account is a part of Kubernetes.
func (s *stage) account(t *testing.T, user string) *actor {
	return s.impersonating(t, "admin", rest.ImpersonationConfig{UserName: user, Groups: []string{"system:authenticated", "system:masters"}})
}

// transform changes a manifest.
func transform(text string, change func(*unstructured.Unstructured)) string {
	o := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &o.Object); err != nil {
		panic(err)
	}
	change(o)
	raw, err := yaml.Marshal(o.Object)
	if err != nil {
		panic(err)
	}
	return string(raw)
}
