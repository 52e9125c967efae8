// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
)

// connect asks for a connection to a Pod and returns what the API server answers
// instead: without a kubelet it always answers something. Only admission says
// that it is forbidden.
func (s *stage) connect(t *testing.T, who *actor, pod, subresource string) error {
	t.Helper()
	client, err := rest.HTTPClientFor(who.config)
	if err != nil {
		t.Fatal(err)
	}
	url := fmt.Sprintf("%s/api/v1/namespaces/%s/pods/%s/%s?command=sh&container=app&stdout=true&ports=8080", who.config.Host, s.namespace, pod, subresource)
	request, err := http.NewRequestWithContext(within(t), http.MethodPost, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Errorf("%s: %s", response.Status, answer)
}

// execStage has Release shop and a Pod of it, and foreign, which is nobody's. On
// it people have the rights that they usually have.
func execStage(t *testing.T) *stage {
	w := policies.start(t)
	s := &stage{world: w, namespace: w.namespace(t), actors: map[string]*actor{"admin": w.as(t, "admin")}}
	for _, who := range []string{"tenant", "debugger"} {
		s.actors[who] = s.impersonating(t, "admin", rest.ImpersonationConfig{UserName: who})
	}
	s.install(t, documents(t, []byte(`
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: test-debugger}
rules: [{apiGroups: [countersign.dev], resources: [releases], verbs: [debug]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: test-tenant}
rules: [{apiGroups: [""], resources: [pods/exec, pods/attach], verbs: [create]}]
`)))
	s.allow(t, s.namespace, "test-tenant", "debugger", "tenant")
	s.allow(t, s.namespace, "test-debugger", "debugger")
	release := object(t, releaseText("shop"))
	stamp(email("admin"))(release)
	s.put(t, "admin", release)
	s.put(t, "admin", object(t, "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: default}"))
	for _, pod := range []string{"shop-blue-1-x", "foreign", testPod} {
		s.put(t, "admin", object(t, podText(pod, "{app: shop}", "")))
	}
	return s
}

// testPod is named as that of a Job that tests a candidate.
const testPod = "shop-e2e-0123456789abcdef0123-x7k2p"

const execPolicy = "exec-guard.countersign.dev"

// TestExecPolicy tries config/exec, which a default install does not have.
func TestExecPolicy(t *testing.T) {
	s := execStage(t)
	s.install(t, manifests(t, "exec"))
	t.Cleanup(func() {
		for _, o := range manifests(t, "exec") {
			s.delete(t, o)
		}
	})
	const says = "cannot run commands in Pod shop-blue-1-x"
	for _, sub := range []string{"exec", "attach"} {
		eventually(t, sub+" is refused", func() string {
			if err := s.connect(t, s.actors["tenant"], "shop-blue-1-x", sub); !strings.Contains(err.Error(), says) {
				return err.Error()
			}
			return ""
		})
		t.Run("sec/16 "+sub, func(t *testing.T) {
			refused(t, sub, s.connect(t, s.actors["tenant"], "shop-blue-1-x", sub), execPolicy, says)
			refused(t, sub, s.connect(t, s.actors["tenant"], testPod, sub), execPolicy, "cannot run commands in Pod "+testPod+", which tests what is to be approved")
		})
		t.Run("admitted: "+sub, func(t *testing.T) {
			for who, pod := range map[string]string{"debugger": "shop-blue-1-x", "tenant": "foreign"} {
				if err := s.connect(t, s.actors[who], pod, sub); strings.Contains(err.Error(), "exec-guard") || strings.Contains(err.Error(), "cannot create resource") {
					t.Errorf("%s, by %s in %s: %v; want it admitted", sub, who, pod, err)
				}
			}
		})
	}
}
