// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"reflect"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/receipt"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const behalf = v1alpha1.OnBehalfOfAnnotation

// trusting is a policy that takes the word of the bot of Argo CD.
func trusting() *v1alpha1.ApprovalPolicy {
	p := prod()
	p.Spec.TrustedDelegates = []v1alpha1.TrustedDelegate{{ServiceAccount: "argocd/argocd-application-controller"}}
	return p
}

// delegated wants exactly these authors and delegates to be proven.
func delegated(delegates []string, names ...string) func(*testing.T, *v1alpha1.Release) {
	return func(t *testing.T, rel *v1alpha1.Release) {
		t.Helper()
		got := receipt.KnownAuthors(rel, revision(t, rel.Spec), "c1", verifier())
		if !got.Known || !reflect.DeepEqual(got.Names, names) || !reflect.DeepEqual(got.Delegates, delegates) {
			t.Errorf("got %+v, want %v of which %v are delegates", got, names, delegates)
		}
	}
}

// Who really changed the content has to be told: a person by a credential.
func TestImpersonatedAuthors(t *testing.T) {
	cases(t, map[string]write{
		"PersonAs": {reason: "sec/55: mallory as alice would keep alice from approving", by: with("", "alice@corp"), change: image("shop:2"), refused: "Credential",
			says: []string{"alice@corp did not show credentials of their own", "without --as"}},
		"PersonAsCalm": {reason: "sec/55: also when all is promoted", by: with("", "alice@corp"), was: promoted(t), change: image("shop:2"), refused: "Credential"},
		"EmptyID":      {reason: "sec/55: a list of no credentials shows none", by: emptyCredential("alice@corp"), change: image("shop:2"), refused: "Credential"},
		"Certificate":  {reason: "an administrator's certificate names somebody", by: with("X509SHA256=ab", "root@corp"), change: image("shop:2"), check: written(dev, "root@corp")},
		"BotAs":        {reason: "a GitOps tool that acts as the tenant's account is nobody who is known", by: with("", bot), change: image("shop:2"), check: delegated(nil, dev, bot)},
		"Scaling":      {reason: "what makes no author is open to a controller of any kind", by: with("", "alice@corp"), change: scaled, check: written(dev)},
	})
	t.Run("sec/55 created by an impersonated person", func(t *testing.T) {
		write{reason: "at creation too", refused: "Credential"}.judge(t, webhook(t, prod()), creating(t, with("", "alice@corp"), manifest()))
	})
}

func TestDelegates(t *testing.T) {
	argo, trust := person(bot), []client.Object{trusting()}
	says := set(behalf, "zoe@corp")
	said := stored(t, says)
	byBot := stored(t, wroteBy(t, dev, bot))
	cases(t, map[string]write{
		"Named": {reason: "the person is an author, and the program said so", by: argo, policies: trust, change: both(says, image("shop:2")),
			want: map[string]string{behalf: "zoe@corp"}, check: delegated([]string{bot}, dev, bot, "zoe@corp")},
		"Again":      {reason: "a sync that sends the same again means it", by: argo, policies: trust, was: said, change: image("shop:2"), check: delegated([]string{bot}, dev, bot, "zoe@corp")},
		"Silent":     {reason: "without the annotation nobody is named", by: argo, policies: trust, change: image("shop:2"), check: delegated(nil, dev, bot)},
		"SilentOnce": {reason: "what a program once left open stays open", by: argo, policies: trust, was: byBot, change: both(says, image("shop:2")), check: delegated(nil, dev, bot, "zoe@corp")},
		"TwoPolicies": {reason: "one policy that trusts it is enough to add a person", by: argo, policies: []client.Object{trusting(), second()}, change: both(says, image("shop:2")), check: delegated([]string{bot}, dev, bot, "zoe@corp"),
			warns: "second/security needs 1 more approval, but nobody is left who could"},
		"CannotRemove": {reason: "sec/51: naming somebody takes nobody off the list", by: argo, policies: trust, was: stored(t, wroteBy(t, "mallory@corp")), change: both(says, image("shop:2")),
			check: delegated([]string{bot}, "mallory@corp", bot, "zoe@corp")},

		"Unlisted": {reason: "sec/51: a program that no policy trusts", by: argo, change: both(says, image("shop:2")), refused: "Delegate",
			says: []string{bot + " cannot say for whom", "trustedDelegates", behalf, "kubectl edit approvalpolicy"}},
		"OtherNamespace": {reason: "sec/51: trusted elsewhere", by: argo, policies: []client.Object{prod(), elsewhere()}, change: both(says, image("shop:2")), refused: "Delegate"},
		"Person":         {reason: "sec/51: mallory says that alice wrote it", by: person("mallory@corp"), policies: trust, change: both(says, image("shop:2")), refused: "Delegate"},
		"Impersonated":   {reason: "sec/51: who acts as the program is not the program", by: with("", bot), policies: trust, change: both(says, image("shop:2")), refused: "Delegate", says: []string{"a token of its own"}},
		"Certificate":    {reason: "sec/51: nor is a certificate", by: with("X509SHA256=ab", bot), policies: trust, change: both(says, image("shop:2")), refused: "Delegate"},
		"AloneByPerson":  {reason: "sec/51: also without content", by: person("mallory@corp"), policies: trust, change: says, refused: "Delegate"},
		"ChangedByOther": {reason: "sec/51: nor changes what was said", by: person("mallory@corp"), policies: trust, was: said, change: set(behalf, "alice@corp"), refused: "Delegate"},
		"Program":        {reason: "sec/51: a program is no person", by: argo, policies: trust, change: both(set(behalf, "system:serviceaccount:x:y"), image("shop:2")), refused: "Delegate", says: []string{"no person"}},
		"Quotes":         {reason: "sec/47: a name that forges the list", by: argo, policies: trust, change: both(set(behalf, `a","b`), image("shop:2")), refused: "Delegate"},
		"Empty":          {reason: "an empty name", by: argo, policies: trust, change: both(set(behalf, ""), image("shop:2")), refused: "Delegate"},

		"OtherEdits":   {reason: "what was said is not held against others", by: person("eve@corp"), policies: trust, was: said, change: image("shop:2"), check: delegated(nil, dev, "eve@corp")},
		"OtherBot":     {reason: "and names nobody for another program", by: person("system:serviceaccount:x:y"), policies: trust, was: said, change: image("shop:2"), check: delegated(nil, dev, "system:serviceaccount:x:y")},
		"Impersonates": {reason: "nor for who acts as the program", by: with("", bot), policies: trust, was: said, change: image("shop:2"), check: delegated(nil, dev, bot)},
		"NoContent":    {reason: "nothing to be an author of", by: argo, policies: trust, change: says, warns: "makes nobody an author", want: map[string]string{behalf: "zoe@corp", list: "="}},
		"Unchanged":    {reason: "a sync that changes nothing is told nothing", by: argo, policies: trust, was: said, change: scaled, want: map[string]string{behalf: "="}},
		"Removed":      {reason: "anybody takes it away", by: person("eve@corp"), policies: trust, was: said, change: drop(behalf), want: map[string]string{behalf: "-"}},
	})
	t.Run("sec/51 created by a delegate", func(t *testing.T) {
		rel := manifest()
		says(rel)
		write{reason: "the first content has an author too", check: delegated([]string{bot}, bot, "zoe@corp")}.judge(t, webhook(t, trusting()), creating(t, argo, rel))
	})
}

func second() *v1alpha1.ApprovalPolicy {
	p := prod()
	p.Name = "second"
	return p
}

func elsewhere() *v1alpha1.ApprovalPolicy {
	p := trusting()
	p.Name, p.Spec.Namespaces = "elsewhere", []string{"bank"}
	return p
}
