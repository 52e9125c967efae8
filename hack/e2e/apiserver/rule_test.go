// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"cmp"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// rule is one expression of an admission policy: what it refuses, and what is
// nearest to that and passes.
type rule struct {
	policy string
	// says is a piece of the refusal, by which the expression is found as well.
	says              string
	refused, admitted []attempt
	// row is the attack that it refuses, as sec/NN; it is in the names of the tests.
	row string
	// doubled is true when other expressions refuse the same, with a worse message.
	doubled bool
}

// attempt is something that somebody tries, by each verb that can do it.
type attempt struct {
	what string
	who  string
	// on is the object, such as services/shop or deployments/shop-blue/scale.
	// Empty when create is set.
	on string
	// change makes the object what the requester wants. Nil: it is deleted.
	change func(*unstructured.Unstructured)
	// create is an object to be made; the namespace is filled in.
	create string
	// not are verbs that cannot do it.
	not []string
	// row is the attack, where it is not the rule's.
	row string
}

// stage is a namespace with objects to try things on, and who tries.
type stage struct {
	*world
	namespace string
	actors    map[string]*actor
}

// fixtureManager owns all that is on a stage, so that server-side apply can
// also take things away: the name of a manager is free to choose.
const fixtureManager = "fixture"

// run tries everything that the rule refuses and admits.
func (s *stage) run(t *testing.T, r rule) {
	for _, a := range r.refused {
		t.Run(strings.TrimSpace(cmp.Or(a.row, r.row)+" refused: "+a.what), func(t *testing.T) {
			s.every(t, a, "sec/23 ", func(t *testing.T, err error) { refusedBy(t, r, a, err) })
		})
	}
	for _, a := range r.admitted {
		t.Run("admitted: "+a.what, func(t *testing.T) {
			s.each(t, a, func(t *testing.T, err error) {
				if err != nil {
					t.Errorf("%s, by %s: %v; want it admitted", a.what, a.who, err)
				}
			})
		})
	}
}

func refusedBy(t *testing.T, r rule, a attempt, err error) {
	t.Helper()
	switch {
	case err == nil:
		t.Errorf("%s, by %s: admitted; want it refused by %s, saying %q", a.what, a.who, r.policy, r.says)
	case !strings.Contains(err.Error(), "'"+r.policy+"'") || !strings.Contains(err.Error(), r.says):
		t.Errorf("%s, by %s: %v; want it refused by %s, saying %q", a.what, a.who, err, r.policy, r.says)
	}
}

// each tries by each verb.
func (s *stage) each(t *testing.T, a attempt, check func(*testing.T, error)) {
	s.every(t, a, "", check)
}

// every is each, with the attack that another verb would be in the tests' names.
func (s *stage) every(t *testing.T, a attempt, row string, check func(*testing.T, error)) {
	who := s.actors[a.who]
	if who == nil {
		t.Fatalf("nobody on the stage is called %q", a.who)
	}
	tried := 0
	for _, verb := range a.verbs() {
		if slices.Contains(a.not, verb) {
			continue
		}
		err, exists := s.try(t, who, a, verb)
		if !exists {
			continue
		}
		tried++
		t.Run(row+verb, func(t *testing.T) { check(t, err) })
	}
	if tried == 0 {
		t.Fatal("no verb can do it")
	}
}

func (a attempt) verbs() []string {
	switch {
	case a.create != "":
		return createVerbs
	case a.change == nil:
		return deleteVerbs
	}
	return changeVerbs
}

// try sends one request. exists is false when the object has no such verb.
func (s *stage) try(t *testing.T, who *actor, a attempt, verb string) (err error, exists bool) {
	t.Helper()
	if a.create != "" {
		o := object(t, a.create)
		o.SetNamespace(s.namespace)
		if verb == "create by update" && resourceOf(o) != "services" {
			return nil, false // the other kinds are not made so
		}
		return createBy(within(t), who.of(o), verb, o), true
	}
	resource, rest, _ := strings.Cut(a.on, "/")
	name, sub, _ := strings.Cut(rest, "/")
	client := who.resource(resource, s.namespace)
	if a.change == nil {
		return deleteBy(within(t), client, verb, name), true
	}
	have := s.get(t, a.on)
	want := have.DeepCopy()
	a.change(want)
	if reflect.DeepEqual(have.Object, want.Object) {
		t.Fatalf("%s changes nothing", a.what)
	}
	got, exists, err := change{verb: verb, subresource: sub, have: have, want: want}.send(within(t), client)
	if exists && err == nil && unchanged(have, got) {
		t.Errorf("%s: %s changed nothing, so it proves nothing", a.what, verb)
	}
	return err, exists
}

func unchanged(have, got *unstructured.Unstructured) bool {
	have, got = have.DeepCopy(), got.DeepCopy()
	for _, o := range []*unstructured.Unstructured{have, got} {
		for _, field := range []string{"managedFields", "resourceVersion", "generation"} {
			unstructured.RemoveNestedField(o.Object, "metadata", field)
		}
	}
	return reflect.DeepEqual(have.Object, got.Object)
}

// saysSoon waits for the refusal; empty for the admission. The API server reads
// parameters of policies from a cache.
func (s *stage) saysSoon(t *testing.T, a attempt, says string) {
	t.Helper()
	eventually(t, "the answer is "+strconv.Quote(says), func() string {
		err, _ := s.try(t, s.actors[a.who], a, a.verbs()[0])
		if (err == nil) == (says == "") && strings.Contains(text(err), says) {
			return ""
		}
		return "it is " + strconv.Quote(text(err))
	})
}

// get reads an object of the stage as admin.
func (s *stage) get(t testing.TB, on string) *unstructured.Unstructured {
	t.Helper()
	parts := strings.Split(on, "/")
	o, err := s.admin.resource(parts[0], s.namespace).Get(within(t), parts[1], metav1.GetOptions{}, parts[2:]...)
	if err != nil {
		t.Fatalf("get %s: %v", on, err)
	}
	return o
}

// put makes an object, or makes it so, as somebody on the stage.
func (s *stage) put(t testing.TB, who string, o *unstructured.Unstructured, subresource ...string) {
	t.Helper()
	o = applied(o)
	o.SetNamespace(s.namespace)
	client := s.actors[who].of(o)
	if _, err := client.Apply(within(t), o.GetName(), o, metav1.ApplyOptions{FieldManager: fixtureManager, Force: true}, subresource...); err != nil {
		t.Fatalf("set the stage: %s as %s: %v", o.GetName(), who, err)
	}
}

// alter changes an object of the stage for good.
func (s *stage) alter(t testing.TB, who, on string, change func(*unstructured.Unstructured)) {
	t.Helper()
	o := s.get(t, on)
	change(o)
	s.put(t, who, o, strings.Split(on, "/")[2:]...)
}

// all runs several changes.
func all(changes ...func(*unstructured.Unstructured)) func(*unstructured.Unstructured) {
	return func(o *unstructured.Unstructured) {
		for _, c := range changes {
			c(o)
		}
	}
}

// set changes a field. A path is split at dots; a tilde is a dot in a key.
func set(path string, value any) func(*unstructured.Unstructured) {
	return func(o *unstructured.Unstructured) {
		if err := unstructured.SetNestedField(o.Object, value, fields(path)...); err != nil {
			panic(err)
		}
	}
}

func fields(path string) []string {
	parts := strings.Split(path, ".")
	for i := range parts {
		parts[i] = strings.ReplaceAll(parts[i], "~", ".")
	}
	return parts
}

func drop(path string) func(*unstructured.Unstructured) {
	return func(o *unstructured.Unstructured) {
		unstructured.RemoveNestedField(o.Object, fields(path)...)
	}
}

// annotate sets an annotation; an empty value takes it away.
func annotate(key, value string) func(*unstructured.Unstructured) {
	return mark("annotations", key, value)
}

// label sets a label; an empty value takes it away.
func label(key, value string) func(*unstructured.Unstructured) { return mark("labels", key, value) }

func mark(where, key, value string) func(*unstructured.Unstructured) {
	return func(o *unstructured.Unstructured) {
		if value == "" {
			unstructured.RemoveNestedField(o.Object, "metadata", where, key)
			return
		}
		if err := unstructured.SetNestedField(o.Object, value, "metadata", where, key); err != nil {
			panic(err)
		}
	}
}
