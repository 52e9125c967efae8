// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/cmd/kubectl-countersign/command"
	"github.com/countersign/countersign/cmd/kubectl-countersign/show"
	"github.com/countersign/countersign/config/policy"
	"github.com/countersign/countersign/config/webhook"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

// The scenes in testdata are what an API server had when a real operator had come
// to rest, written by: go test ./hack/e2e/apiserver -run TestPlugin -args -record=DIRECTORY.
var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// scene is a cluster as it was recorded, with a gate.
func scene(t *testing.T, name string) []client.Object {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	objects := append(decode(t, raw), gate(t)...)
	if name != "frozen" {
		return objects
	}
	var left []client.Object
	for _, o := range objects {
		if _, is := o.(*admissionregistrationv1.ValidatingAdmissionPolicyBinding); !is || o.GetName() != "release-votes.countersign.dev" {
			left = append(left, o)
		}
	}
	return left
}

// gate is the guards as this version ships them, and the operator.
func gate(t *testing.T) (objects []client.Object) {
	t.Helper()
	entries, err := policy.Files.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	manifests := [][]byte{webhook.Configuration}
	for _, e := range entries {
		raw, err := policy.Files.ReadFile(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		manifests = append(manifests, raw)
	}
	for _, raw := range manifests {
		if !bytes.Contains(raw, []byte("kind: Kustomization")) && bytes.Contains(raw, []byte("\nkind: ")) {
			objects = append(objects, decode(t, raw)...)
		}
	}
	system := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: "countersign-system", Name: name}
	}
	objects = append(objects, &corev1.ConfigMap{ObjectMeta: system("countersign-trusted-keys"), Data: map[string]string{"keys.json": "{}"}})
	for _, name := range []string{"countersign-operator", "countersign-webhook"} {
		objects = append(objects, &appsv1.Deployment{ObjectMeta: system(name), Status: appsv1.DeploymentStatus{AvailableReplicas: 1}})
	}
	return objects
}

func decode(t *testing.T, raw []byte) (objects []client.Object) {
	t.Helper()
	decoder := serializer.NewCodecFactory(command.Scheme()).UniversalDeserializer()
	for _, document := range strings.Split(string(raw), "\n---\n") {
		document = strings.TrimPrefix(document, "---\n")
		o, _, err := decoder.Decode([]byte(document), nil, nil)
		if err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		objects = append(objects, o.(client.Object))
	}
	return objects
}

// terminal runs commands of somebody on a cluster.
type terminal struct {
	client client.WithWatch
	person show.Person
	now    time.Time
	// asks is true when they sit at a terminal.
	asks bool
}

var bob = show.Person{User: "bob@example.com", Groups: []string{"security", "system:authenticated"}}

func sit(t *testing.T, objects []client.Object) *terminal {
	t.Helper()
	out := &terminal{person: bob}
	var given []runtime.Object
	for _, o := range objects {
		given = append(given, o)
		if rel, is := o.(*v1alpha1.Release); is && rel.Status.Candidate != nil {
			out.now = rel.Status.Candidate.Since.Add(time.Minute)
		}
	}
	out.client = fake.NewClientBuilder().WithScheme(command.Scheme()).WithRuntimeObjects(given...).Build()
	return out
}

// run is what they read, on both streams.
func (s *terminal) run(input io.Reader, args ...string) (string, error) {
	var out bytes.Buffer
	err := s.runTo(context.Background(), &out, input, args...)
	return out.String(), err
}

func (s *terminal) runTo(ctx context.Context, out io.Writer, input io.Reader, args ...string) error {
	streams := genericiooptions.IOStreams{In: input, Out: out, ErrOut: out}
	root := command.New(streams, command.Terminal{Asks: s.asks}, func() (*command.Session, error) {
		return &command.Session{
			Client: s.client, Namespace: "shop", Now: func() time.Time { return s.now },
			WhoAmI: func(context.Context) (*show.Person, error) { return &s.person, nil },
		}, nil
	})
	root.SetArgs(args)
	return root.ExecuteContext(ctx)
}

func TestGolden(t *testing.T) {
	for _, name := range []string{"waiting", "vetoed", "frozen", "rolled-back"} {
		for _, verb := range []string{"status", "explain", "diff", "doctor", "history"} {
			t.Run(name+" "+verb, func(t *testing.T) {
				got, err := sit(t, scene(t, name)).run(nil, verb, "shop")
				if err != nil && (verb != "doctor" || !errors.Is(err, command.ErrBroken)) {
					t.Fatal(err)
				}
				if broken := verb == "doctor" && name == "frozen"; broken != (err != nil) {
					t.Errorf("doctor ends with %v", err)
				}
				compare(t, name+"."+verb+".txt", got)
			})
		}
	}
	for _, form := range []string{"json", "yaml", "wide"} {
		t.Run("status -o "+form, func(t *testing.T) {
			got, err := sit(t, scene(t, "waiting")).run(nil, "status", "shop", "-o", form)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, "waiting.status."+form, got)
		})
	}
	t.Run("overview", func(t *testing.T) {
		got, err := sit(t, scene(t, "waiting")).run(nil, "status")
		if err != nil {
			t.Fatal(err)
		}
		compare(t, "waiting.overview.txt", got)
	})
	t.Run("policies", func(t *testing.T) {
		got, err := sit(t, scene(t, "waiting")).run(nil, "policies")
		if err != nil {
			t.Fatal(err)
		}
		compare(t, "waiting.policies.txt", got)
	})
}

// TestDocs: what the documentation shows is what the plugin says.
func TestDocs(t *testing.T) {
	docs, err := os.ReadFile("../../docs/plugin.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"waiting.status.txt", "waiting.explain.txt", "waiting.diff.txt", "vetoed.status.txt", "frozen.doctor.txt", "rolled-back.history.txt"} {
		golden, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(docs, golden) {
			t.Errorf("docs/plugin.md does not show what %s has", file)
		}
	}
}

func compare(t *testing.T, file, got string) {
	t.Helper()
	file = filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("it is not what %s has; if it is meant to be: go test ./cmd/kubectl-countersign -update\n%s", file, got)
	}
}
