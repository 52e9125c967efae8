// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// emergency lets sre break the glass; erin is also erin-admin, dev also dev2.
func emergency(name string) approval.Policy {
	return with(policy(name, group("qa", 1, "qa")), same("erin", "erin", "erin-admin"), same("dev", "dev", "dev2"), func(p *approval.Policy) {
		p.BreakGlass = &approval.BreakGlass{Groups: []string{"sre", "lead"}, ReviewWithin: 48 * time.Hour}
	})
}

func glass() approval.Glass {
	return approval.Glass{Slot: "erin", Digest: candidate, Ticket: "INC-1", Reason: "checkout is down", User: "erin", Groups: []string{"sre"}, At: noon().Add(-time.Minute)}
}

func byDev() approval.Subject {
	return approval.Subject{Digest: candidate, Authors: []string{"dev"}, AuthorsKnown: true}
}

func TestGlassVoid(t *testing.T) {
	for name, tc := range map[string]struct {
		glass    func(*approval.Glass)
		subject  func(*approval.Subject)
		policies []approval.Policy // nil: one
		says     string            // empty: it lets it through
	}{
		"Stands":          {},
		"OtherGroup":      {glass: func(g *approval.Glass) { g.Groups = []string{"x", "lead"} }},
		"TwoPolicies":     {policies: []approval.Policy{emergency("a"), emergency("b")}},
		"AddedPolicy":     {policies: []approval.Policy{emergency("a"), policy(approval.AddedName, users("po", 1, "zoe"))}},
		"OnlyAdded":       {policies: []approval.Policy{with(emergency("a"), func(p *approval.Policy) { p.Name = approval.AddedName })}, says: "no ApprovalPolicy with rules covers"},
		"NoPolicy":        {policies: []approval.Policy{}, says: "no ApprovalPolicy with rules covers"},
		"Unsigned":        {glass: func(g *approval.Glass) { g.Invalid = "it has no receipt" }, says: "it has no receipt"},
		"Nobody":          {glass: func(g *approval.Glass) { g.User = "" }, says: "names nobody"},
		"NoTicket":        {glass: func(g *approval.Glass) { g.Ticket = "" }, says: "no cause"},
		"NoReason":        {glass: func(g *approval.Glass) { g.Reason = "" }, says: "no cause"},
		"OtherDigest":     {glass: func(g *approval.Glass) { g.Digest = another }, says: "it is for sha256:aaaaaaaaaaaa..."},
		"NoDigest":        {glass: func(g *approval.Glass) { g.Digest = "" }, subject: func(s *approval.Subject) { s.Digest = "" }, says: "no digest"},
		"Author":          {glass: func(g *approval.Glass) { g.User = "dev" }, says: "dev changed the content and cannot break the glass for it"},
		"AuthorElsewhere": {glass: func(g *approval.Glass) { g.User = "dev2" }, says: "dev2 changed the content as dev and cannot"},
		"AuthorAllowed":   {glass: func(g *approval.Glass) { g.User = "dev" }, policies: []approval.Policy{with(emergency("a"), open)}, says: "cannot break the glass"},
		"AuthorsUnknown":  {subject: func(s *approval.Subject) { s.AuthorsKnown = false }, says: "it is not proven who changed the content"},
		"Program":         {glass: func(g *approval.Glass) { g.User = "system:serviceaccount:ci:bot" }, says: "is not a person"},
		"NotOnCall":       {glass: func(g *approval.Glass) { g.Groups = []string{"qa"} }, says: "lets only members of lead, sre break the glass"},
		"NoGroup":         {glass: func(g *approval.Glass) { g.Groups = nil }, says: "lets only members"},
		"NotAllowed":      {policies: []approval.Policy{emergency("a"), policy("b", group("qa", 1, "qa"))}, says: "policy b has no breakGlass"},
		"EmptyGroups": {policies: []approval.Policy{with(emergency("a"), func(p *approval.Policy) { p.BreakGlass = &approval.BreakGlass{Groups: []string{""}} })},
			glass: func(g *approval.Glass) { g.Groups = []string{""} }, says: "policy a has no breakGlass"},
		"Fresh":       {glass: func(g *approval.Glass) { g.At = noon().Add(-time.Hour + time.Second) }},
		"Expired":     {glass: func(g *approval.Glass) { g.At = noon().Add(-time.Hour) }, says: "it has expired"},
		"ShortPolicy": {glass: func(g *approval.Glass) { g.At = noon().Add(-2 * time.Minute) }, policies: []approval.Policy{with(emergency("a"), validFor(2*time.Minute))}, says: "it has expired"},
		"NoValidFor":  {policies: []approval.Policy{with(emergency("a"), validFor(0))}, says: "it has expired"},
		"Future":      {glass: func(g *approval.Glass) { g.At = noon().Add(2 * time.Minute) }, says: "in the future"},
	} {
		t.Run("sec/61 "+name, func(t *testing.T) {
			g, s, policies := glass(), byDev(), tc.policies
			if tc.glass != nil {
				tc.glass(&g)
			}
			if tc.subject != nil {
				tc.subject(&s)
			}
			if policies == nil {
				policies = []approval.Policy{emergency("a")}
			}
			why := approval.GlassVoid(policies, s, g, noon())
			if (why == "") != (tc.says == "") || !strings.Contains(why, tc.says) || strings.HasSuffix(why, ".") {
				t.Errorf("got %q, want %q", why, tc.says)
			}
		})
	}
}

// Break-glass stands in for people who are missing and for a window, and for
// nothing that somebody decided or nobody knows.
func TestGlassHelps(t *testing.T) {
	qa := policy("a", veto(group("qa", 1, "qa")))
	closed := with(qa, func(p *approval.Policy) {
		p.Windows = approval.Windows{Exclude: []approval.Window{{From: noon().Add(-time.Hour), To: noon().Add(time.Hour)}}}
	})
	held := policy("freeze")
	held.Hold = "INC-7"
	for name, tc := range map[string]struct {
		policies []approval.Policy
		subject  func(*approval.Subject)
		votes    []approval.Vote
		because  string
		helps    bool
	}{
		"Waits":          {policies: []approval.Policy{qa}, because: v1alpha1.ReasonAwaitingApproval, helps: true},
		"Unsatisfiable":  {policies: []approval.Policy{policy("a", group("qa", 0, "qa"))}, because: v1alpha1.ReasonUnsatisfiable, helps: true},
		"Closed":         {policies: []approval.Policy{closed}, votes: []approval.Vote{yes("quinn", "qa")}, because: v1alpha1.ReasonOutsideWindow, helps: true},
		"Approved":       {policies: []approval.Policy{qa}, votes: []approval.Vote{yes("quinn", "qa")}, because: v1alpha1.ReasonQuorumMet, helps: true},
		"Vetoed":         {policies: []approval.Policy{qa}, votes: []approval.Vote{no("quinn", "qa")}, because: v1alpha1.ReasonRejected},
		"Held":           {policies: []approval.Policy{qa, held}, because: v1alpha1.ReasonStopTheLine},
		"HeldAndVetoed":  {policies: []approval.Policy{qa, held}, votes: []approval.Vote{no("quinn", "qa")}, because: v1alpha1.ReasonRejected},
		"NoPolicy":       {because: v1alpha1.ReasonNoPolicy},
		"AuthorsUnknown": {policies: []approval.Policy{qa}, subject: func(s *approval.Subject) { s.AuthorsKnown = false }, because: v1alpha1.ReasonAuthorsUnknown},
	} {
		t.Run("sec/61 "+name, func(t *testing.T) {
			s := byDev()
			if tc.subject != nil {
				tc.subject(&s)
			}
			v := approval.Evaluate(tc.policies, s, tc.votes, noon())
			if v.Reason != tc.because || v.GlassHelps() != tc.helps {
				t.Errorf("%s: it helps: %v, want %s: %v", v.Reason, v.GlassHelps(), tc.because, tc.helps)
			}
		})
	}
	if (approval.Verdict{}).GlassHelps() || (approval.Verdict{Reason: v1alpha1.ReasonQuorumMet, Vetoes: []string{"quinn"}}).GlassHelps() {
		t.Error("it helps without a verdict, or against a veto")
	}
}

func TestMayReview(t *testing.T) {
	byRBAC := policy("b", approval.Rule{Name: "owner", Count: 1, RBAC: true})
	for name, tc := range map[string]struct {
		user      string
		groups    []string
		permitted []string
		policies  []approval.Policy
		says      string
	}{
		"Permitted":     {user: "quinn", permitted: []string{"b.owner"}, policies: []approval.Policy{emergency("a"), byRBAC}},
		"PermittedNot":  {user: "quinn", permitted: []string{"b.other"}, policies: []approval.Policy{emergency("a"), byRBAC}, says: "quinn"},
		"NotByRBAC":     {user: "quinn", permitted: []string{"a.qa"}, says: "no rule names quinn"},
		"BreakerByRBAC": {user: "erin", permitted: []string{"b.owner"}, policies: []approval.Policy{byRBAC}, says: "erin broke the glass"},
		"Eligible":      {user: "quinn", groups: []string{"qa"}},
		"Unnamed":       {user: "quinn", groups: []string{"sre"}, says: "no rule names quinn"},
		"Breaker":       {user: "erin", groups: []string{"qa"}, says: "erin broke the glass and cannot review it"},
		"BreakerToo":    {user: "erin-admin", groups: []string{"qa"}, says: "erin-admin broke the glass as erin and cannot review it"},
		"Author":        {user: "dev", groups: []string{"qa"}, says: "dev changed the content and cannot review it"},
		"AuthorToo":     {user: "dev2", groups: []string{"qa"}, says: "dev2 changed the content as dev"},
		"AuthorOpen":    {user: "dev", groups: []string{"qa"}, policies: []approval.Policy{with(emergency("a"), open)}, says: "cannot review it"},
		"Program":       {user: "system:node:x", groups: []string{"qa"}, says: "is not a person"},
		"Nobody":        {groups: []string{"qa"}, says: "has no name"},
		"NoPolicy":      {user: "quinn", groups: []string{"qa"}, policies: []approval.Policy{}, says: "no ApprovalPolicy"},
		"BrokenRule":    {user: "quinn", groups: []string{"qa"}, policies: []approval.Policy{policy("a", group("qa", 0, "qa"))}, says: "no rule can be met"},
		"SecondPolicy":  {user: "quinn", groups: []string{"po"}, policies: []approval.Policy{emergency("a"), policy("b", group("po", 1, "po"))}},
	} {
		t.Run("sec/61 "+name, func(t *testing.T) {
			policies := tc.policies
			if policies == nil {
				policies = []approval.Policy{emergency("a")}
			}
			ok, why := approval.MayReview(policies, []string{"dev"}, "erin", tc.user, tc.groups, tc.permitted...)
			if ok != (tc.says == "") || ok != (why == "") || !strings.Contains(why, tc.says) {
				t.Errorf("got %v, %q, want %q", ok, why, tc.says)
			}
		})
	}
}

func TestParseGlass(t *testing.T) {
	got, err := approval.ParseGlass(candidate + ";INC-1;checkout is down; so is search")
	if want := (approval.Said{Digest: candidate, Ticket: "INC-1", Reason: "checkout is down; so is search"}); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	for value, says := range map[string]string{
		"": "not of the form", candidate: "not of the form", candidate + ";INC-1": "not of the form",
		"sha256:1;INC-1;x": "64 hex digits", "reject:" + candidate + ";INC-1;x": "vote",
		candidate + ";;x": "no ticket", candidate + "; ;x": "no ticket", candidate + ";INC-1;": "no reason", candidate + ";INC-1; ": "no reason",
		candidate + ";" + strings.Repeat("t", 65) + ";x": "ticket has 65 bytes", candidate + ";INC-1;" + strings.Repeat("r", 513): "reason has 513 bytes",
		candidate + ";INC\n1;x": "ticket holds control", candidate + ";INC-1;a\x1b[2J": "reason holds control", candidate + ";INC-1;a\u202eb": "reason holds control",
		candidate + ";INC-1;a\u2028b": "one line", candidate + ";INC-1;a\u2066b": "one line", candidate + ";INC-1;a\u0085b": "one line", candidate + ";INC-1;a\xffb": "one line",
	} {
		t.Run("sec/47 "+says, func(t *testing.T) {
			if got, err := approval.ParseGlass(value); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%q: got %+v, %v, want %q", value, got, err, says)
			}
		})
	}
}

func FuzzParseGlass(f *testing.F) {
	f.Add(candidate + ";INC-1;checkout is down")
	f.Fuzz(func(t *testing.T, value string) {
		got, err := approval.ParseGlass(value)
		if err != nil {
			return
		}
		if got.Digest+";"+got.Ticket+";"+got.Reason != value || strings.ContainsAny(value, "\n\r\x1b") {
			t.Errorf("%q was read as %+v", value, got)
		}
	})
}

func TestReviewWithin(t *testing.T) {
	short := with(emergency("b"), func(p *approval.Policy) { p.BreakGlass.ReviewWithin = time.Hour })
	for want, policies := range map[time.Duration][]approval.Policy{
		48 * time.Hour: {emergency("a"), policy(approval.AddedName)}, time.Hour: {short, emergency("a")}, 720 * time.Hour: nil,
		0: {with(emergency("a"), func(p *approval.Policy) { p.BreakGlass = &approval.BreakGlass{ReviewWithin: -1} })},
	} {
		if got := approval.ReviewWithin(policies); got != want {
			t.Errorf("%v: got %s, want %s", policies, got, want)
		}
	}
}

// What a policy says about emergencies and delegates is taken over from its spec.
func TestEmergencyFromSpec(t *testing.T) {
	spec := v1alpha1.ApprovalPolicySpec{
		BreakGlass:       &v1alpha1.BreakGlass{Groups: []string{"sre", "", "sre"}, ReviewWithin: metav1.Duration{Duration: time.Hour}},
		TrustedDelegates: []v1alpha1.TrustedDelegate{{ServiceAccount: "flux/b"}, {ServiceAccount: "argocd/a"}, {ServiceAccount: "odd"}},
	}
	p := approval.FromSpec("a", spec)
	if !slices.Equal(p.BreakGlass.Groups, []string{"sre"}) || p.BreakGlass.ReviewWithin != time.Hour {
		t.Errorf("got %+v", p.BreakGlass)
	}
	const argo, flux = "system:serviceaccount:argocd:a", "system:serviceaccount:flux:b"
	if !slices.Equal(p.TrustedDelegates, []string{argo, flux}) {
		t.Errorf("got %v", p.TrustedDelegates)
	}
	if got := approval.GroupsNamed([]approval.Policy{p, policy("b", group("qa", 1, "qa"))}); !slices.Equal(got, []string{"qa", "sre"}) {
		t.Errorf("a receipt records %v", got)
	}
	other := with(policy("b"), func(p *approval.Policy) { p.TrustedDelegates = []string{argo} })
	for _, tc := range []struct {
		policies []approval.Policy
		trusted  []string
	}{
		{nil, nil}, {[]approval.Policy{p}, []string{argo, flux}}, {[]approval.Policy{p, other}, []string{argo}}, {[]approval.Policy{p, policy("c", group("qa", 1, "qa"))}, nil},
		{[]approval.Policy{policy("c", group("qa", 1, "qa")), p}, nil},
		{[]approval.Policy{p, {Name: "freeze", Hold: "x"}}, []string{argo, flux}}, {[]approval.Policy{p, policy(approval.AddedName)}, []string{argo, flux}}, {[]approval.Policy{with(p, func(p *approval.Policy) { p.Name = approval.AddedName })}, nil},
	} {
		t.Run("sec/51 trusted by all policies", func(t *testing.T) {
			if got := approval.Trusted(tc.policies, []string{flux, argo, "system:serviceaccount:x:y"}); !slices.Equal(got, tc.trusted) {
				t.Errorf("%+v: got %v, want %v", tc.policies, got, tc.trusted)
			}
		})
	}
	if approval.MayName([]approval.Policy{policy("c")}, argo) || !approval.MayName([]approval.Policy{policy("c"), p}, argo) || approval.MayName([]approval.Policy{with(p, func(p *approval.Policy) { p.TrustedDelegates = []string{"zoe"} })}, "zoe") {
		t.Error("one policy that trusts a program is enough to name somebody, and a person is no program")
	}
}
