// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"context"
	"crypto/ed25519"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/controllers/receipt"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

const (
	system  = "countersign-system"
	overlap = 24 * time.Hour
)

// install is an operator and a webhook, on a clock of their own.
type install struct {
	client.Client
	now      time.Time
	ring     *Ring
	holder   *Holder
	verifier *receipt.Verifier
	changes  int
}

func newInstall(t *testing.T) *install {
	t.Helper()
	i := &install{
		Client: fake.NewClientBuilder().WithScheme(scheme.Scheme).Build(),
		now:    time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC), verifier: receipt.NewVerifier(),
	}
	clock := func() time.Time { return i.now }
	i.ring = &Ring{Client: i, Namespace: system, Verifier: i.verifier, Now: clock, Overlap: overlap, Age: 90 * overlap, Changed: func() { i.changes++ }}
	i.holder = &Holder{Reader: i, Namespace: system, Signer: receipt.NewSigner(nil), Verifier: receipt.NewVerifier(), Now: clock}
	i.must(t, i.ring.Load(t.Context()))
	i.must(t, i.holder.Refresh(t.Context()))
	return i
}

func (i *install) must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// pass lets time go by and everybody look.
func (i *install) pass(t *testing.T, d time.Duration) {
	t.Helper()
	i.now = i.now.Add(d)
	i.must(t, i.ring.tend(t.Context()))
	i.must(t, i.holder.Refresh(t.Context()))
}

func (i *install) vote(t *testing.T, decision string) string {
	t.Helper()
	v := receipt.Vote{
		Cluster: "c", Namespace: "n", Name: "shop", UID: "u", Slot: "bob", Digest: "d", Decision: decision, User: "bob", At: i.now, Nonce: "x",
	}
	envelope, err := i.holder.Signer.SignVote(t.Context(), v)
	i.must(t, err)
	return envelope
}

// counts wants the operator and the webhook to agree on a vote.
func (i *install) counts(t *testing.T, envelope string, want bool) {
	t.Helper()
	for who, v := range map[string]*receipt.Verifier{"operator": i.verifier, "webhook": i.holder.Verifier} {
		if _, err := v.Vote(envelope); (err == nil) != want {
			t.Errorf("the %s: %v, want it to count: %t", who, err, want)
		}
	}
}

func (i *install) configMap(t *testing.T) *corev1.ConfigMap {
	t.Helper()
	c := &corev1.ConfigMap{}
	i.must(t, i.Get(t.Context(), client.ObjectKey{Namespace: system, Name: ConfigMapName}, c))
	return c
}

func (i *install) ask(t *testing.T, how string) {
	t.Helper()
	c := i.configMap(t)
	c.Annotations = map[string]string{RotateAnnotation: how}
	i.must(t, i.Update(t.Context(), c))
}

func (i *install) secrets(t *testing.T) (slots []string) {
	t.Helper()
	var list corev1.SecretList
	i.must(t, i.List(t.Context(), &list))
	for _, s := range list.Items {
		if s.Immutable == nil || !*s.Immutable {
			t.Errorf("Secret %s can be changed", s.Name)
		}
		slots = append(slots, strings.TrimPrefix(s.Name, SecretPrefix))
	}
	return slots
}

func (i *install) current() string { return i.ring.set.Current().ID }

// TestRotation: what was signed before counts while the keys overlap, and a
// rejection for ever; the former private key goes at once.
func TestRotation(t *testing.T) {
	i := newInstall(t)
	approval, rejection, first := i.vote(t, receipt.Approve), i.vote(t, receipt.Reject), i.current()
	i.ask(t, "now")
	i.changes = 0
	i.pass(t, 0)
	if i.current() == first || i.changes != 1 {
		t.Fatalf("the key is %s and was %s, told %d times", i.current(), first, i.changes)
	}
	if i.configMap(t).Annotations[RotateAnnotation] != "" {
		t.Error("it is still asked for")
	}
	i.counts(t, approval, true)
	i.counts(t, i.vote(t, receipt.Approve), true)
	i.pass(t, 2*tookUp)
	if got := i.secrets(t); len(got) != 1 || got[0] != "b" {
		t.Errorf("private keys are in %v", got)
	}
	i.pass(t, overlap)
	i.counts(t, approval, false)
	i.counts(t, rejection, true)
	if i.changes != 2 {
		t.Errorf("told %d times, want the end of the overlap to be told too", i.changes)
	}
	i.ask(t, "now")
	i.pass(t, 0)
	if got := i.ring.set.Current().Slot; got != "a" {
		t.Errorf("the third key is in slot %s", got)
	}
}

func TestKeyGrowsOld(t *testing.T) {
	i := newInstall(t)
	first := i.current()
	i.pass(t, 89*overlap)
	if i.current() != first {
		t.Error("it was replaced early")
	}
	i.pass(t, overlap)
	if i.current() == first {
		t.Error("it was not replaced")
	}
}

// TestCompromise: whoever had the former key can only hold releases back with it.
func TestCompromise(t *testing.T) {
	i := newInstall(t)
	approval, rejection := i.vote(t, receipt.Approve), i.vote(t, receipt.Reject)
	authors, err := i.holder.Signer.SignAuthors(t.Context(), receipt.Authors{Cluster: "c", Namespace: "n", Name: "shop", Revision: "r", Authors: []string{"dev"}, Nonce: "x"})
	i.must(t, err)
	i.ask(t, "now")
	i.pass(t, 0)
	i.ask(t, Compromised)
	i.pass(t, 0)
	i.counts(t, approval, false)
	i.counts(t, rejection, true)
	if _, err := i.verifier.Authors(authors); err == nil {
		t.Error("it still says who the authors are")
	}
}

// TestLostKey: a private key that is lost is replaced. What it signed stays
// proven; what nobody signed is never taken.
func TestLostKey(t *testing.T) {
	i := newInstall(t)
	approval, first := i.vote(t, receipt.Approve), i.current()
	i.must(t, deletePrivate(t.Context(), i, system, "a"))
	i.pass(t, 0)
	if i.current() == first {
		t.Fatal("it was not replaced")
	}
	i.counts(t, approval, true)
	i.counts(t, "", false)
	i.must(t, i.Delete(t.Context(), i.configMap(t)))
	i.pass(t, 0)
	i.counts(t, approval, true)
	t.Run("with all there was", func(t *testing.T) {
		i.must(t, i.Delete(t.Context(), i.configMap(t)))
		i.must(t, deletePrivate(t.Context(), i, system, i.ring.set.Current().Slot))
		i.must(t, deletePrivate(t.Context(), i, system, "a"))
		again := &Ring{Client: i, Namespace: system, Verifier: receipt.NewVerifier(), Now: i.ring.Now}
		i.must(t, again.Load(t.Context()))
		if _, err := again.Verifier.Vote(approval); err == nil {
			t.Error("a vote counts whose key is gone")
		}
	})
}

// TestForeignKeys: a key that somebody else has written is not trusted, and what
// the operator trusts stays.
func TestForeignKeys(t *testing.T) {
	i := newInstall(t)
	approval, first := i.vote(t, receipt.Approve), i.current()
	attacker := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	text, err := Set{Keys: []Key{keyOf(publicOf(attacker), "a", i.now)}}.format()
	i.must(t, err)
	c := i.configMap(t)
	c.Data[entry] = text
	i.must(t, i.Update(t.Context(), c))
	for what, err := range map[string]error{"tend": i.ring.tend(t.Context()), "try": i.ring.Try(t.Context())} {
		if !errors.Is(err, errForeign) || !strings.Contains(err.Error(), "countersign.dev/rotate=compromised") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := i.verifier.Vote(approval); err != nil || i.current() != first {
		t.Errorf("it trusts other keys now: %v", err)
	}
	i.ask(t, "now")
	if err := i.ring.tend(t.Context()); !errors.Is(err, errForeign) {
		t.Errorf("an ordinary rotation made it go away: %v", err)
	}
	if err := i.holder.Refresh(t.Context()); err == nil || i.holder.Check(nil) == nil {
		t.Errorf("the webhook took up a key that it has not: %v", err)
	}
	i.ask(t, Compromised)
	i.pass(t, 0)
	i.must(t, i.ring.Try(t.Context()))
	for _, k := range i.ring.set.Keys {
		if k.ID == receipt.KeyID(publicOf(attacker)) {
			t.Error("the attacker's key is in the set")
		}
	}
}

// TestReplicasAgree: those that start at once make one key.
func TestReplicasAgree(t *testing.T) {
	c := fake.NewClientBuilder().WithScheme(scheme.Scheme).Build()
	var rings [4]*Ring
	var wait sync.WaitGroup
	for n := range rings {
		rings[n] = &Ring{Client: c, Namespace: system, Verifier: receipt.NewVerifier(), Now: time.Now}
		wait.Go(func() {
			if err := rings[n].Load(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	for _, r := range rings {
		if len(r.set.Keys) != 1 || r.set.Current().ID != rings[0].set.Current().ID {
			t.Errorf("replicas trust %v and %v", r.set, rings[0].set)
		}
	}
}

// TestNothingIsReadIntoAnError: keys that cannot be read are not the same as none.
func TestNothingIsReadIntoAnError(t *testing.T) {
	created := false
	c := interceptor.NewClient(fake.NewClientBuilder().WithScheme(scheme.Scheme).Build(), interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return errors.New("no connection")
		},
		Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error {
			created = true
			return nil
		},
	})
	r := &Ring{Client: c, Namespace: system, Verifier: receipt.NewVerifier(), Now: time.Now}
	if err := r.Load(t.Context()); err == nil || created {
		t.Errorf("got %v, created %t", err, created)
	}
	if r.Check(nil) == nil || r.Try(t.Context()) == nil {
		t.Error("it is ready without keys")
	}
}

// TestParse: whatever is not what the operator writes is refused.
func TestParse(t *testing.T) {
	i := newInstall(t)
	good := i.configMap(t).Data[entry]
	if _, err := parse(good); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"empty": "", "no keys": `{"keys":[]}`, "unknown field": strings.Replace(good, "{", `{"x":1,`, 1), "more": good + "{}",
		"other name":      strings.Replace(good, i.current(), "0123456789abcdef", 1),
		"no slot":         strings.Replace(good, `"slot": "a"`, `"slot": "c"`, 1),
		"current expires": strings.Replace(good, `"slot"`, `"trustedUntil": "2026-03-02T12:00:00Z", "slot"`, 1),
		"short key":       strings.Replace(good, i.ring.set.Current().Public, "AAAA", 1),
	} {
		if set, err := parse(text); err == nil {
			t.Errorf("%s: it is taken for %v", name, set)
		}
	}
}
