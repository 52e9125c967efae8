// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/countersign/countersign/hack/cluster/local"
	"k8s.io/client-go/rest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	for _, w := range []*world{&policies, &whole} {
		if err := w.stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// policies is a control plane with schemas, roles and policies.
var policies = world{}

// whole is a control plane with everything that an install has.
var whole = world{
	options: local.Options{ControllerManager: true, FakeNodes: 2},
	extra:   startOperator,
}

// world is one control plane, shared by the tests that need it.
type world struct {
	options local.Options
	// extra is set up after the schemas, roles and policies.
	extra func(testing.TB, *world)
	// installer is who installs. Nil: admin.
	installer *rest.ImpersonationConfig

	once     sync.Once
	plane    *local.ControlPlane
	admin    *actor
	operator *operator
	ok       bool
	serial   int
	mu       sync.Mutex
}

func (w *world) stop() error {
	if w.operator != nil {
		w.operator.stop()
	}
	if w.plane == nil {
		return nil
	}
	return w.plane.Stop()
}

// start brings the world up for the first test that asks.
func (w *world) start(t testing.TB) *world {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a real API server")
	}
	w.once.Do(func() { w.bringUp(t) })
	if !w.ok {
		t.Fatal("the control plane did not come up for an earlier test")
	}
	return w
}
