// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/receipt"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
)

// A Release begins without votes and with its author.
func TestCreate(t *testing.T) {
	for name, tc := range map[string]struct {
		write
		noNamespace bool
	}{
		"Author":      {write: write{by: person(dev), change: func(*v1alpha1.Release) {}, check: written(dev), want: map[string]string{"team": "shop"}}},
		"Bot":         {write: write{by: person(bot), change: func(*v1alpha1.Release) {}, check: written(bot)}},
		"NoNamespace": {write: write{by: person(dev), change: func(*v1alpha1.Release) {}, check: written(dev)}, noNamespace: true},
		"Bare":        {write: write{by: person(dev), change: func(rel *v1alpha1.Release) { rel.Annotations = nil }, check: written(dev)}},
		"Forged":      {write: write{by: person(dev), change: both(set(list, `["zoe@corp"]`), set(listStamp, "v1 x")), check: written(dev)}},
		"DryRun":      {write: write{by: person(dev), dryRun: true, change: func(*v1alpha1.Release) {}, check: unproven("of a dry run")}},
		"Vote":        {write: write{by: person(qa, "oidc:qa"), change: set(vote+"bob", candidate), refused: "AtCreation", says: []string{"approvals.countersign.dev/* out of the manifest"}}},
		"Receipt":     {write: write{by: person(qa, "oidc:qa"), change: set(stamp+"bob", "v1 x"), refused: "AtCreation", says: []string{"receipts.approvals.countersign.dev/*"}}},
		"Comment":     {write: write{by: person(qa, "oidc:qa"), change: set(comment+"bob", "x"), refused: "AtCreation", says: []string{"comments.approvals.countersign.dev/*"}}},
		"Saved":       {write: write{by: person(qa, "oidc:qa"), change: both(func(rel *v1alpha1.Release) { rel.UID = "u1" }, voted(t, "bob", qa, candidate)), refused: "AtCreation"}},
		"NoName":      {write: write{by: person(dev), change: func(rel *v1alpha1.Release) { rel.Name, rel.GenerateName = "", "shop-" }, refused: "Name", says: []string{"write metadata.name"}}},
		"BadSpec":     {write: write{by: person(dev), change: func(rel *v1alpha1.Release) { rel.Spec.Template.Spec.Containers = nil }, refused: "Spec", says: []string{"containers is empty"}}},
		"OddName":     {write: write{by: person("d v"), change: func(*v1alpha1.Release) {}, refused: "Username"}},
		"Operator":    {write: write{by: person(operator), change: func(*v1alpha1.Release) {}, refused: "Operator"}},
	} {
		t.Run(name, func(t *testing.T) {
			rel := manifest()
			tc.change(rel)
			check := tc.check
			tc.check = func(t *testing.T, got *v1alpha1.Release) {
				t.Helper()
				got.Namespace = "shop" // the API server fills it in
				check(t, got)
			}
			if tc.noNamespace {
				rel.Namespace = ""
			}
			req := creating(t, tc.by, rel)
			req.DryRun = &tc.dryRun
			tc.judge(t, webhook(t, prod()), req)
		})
	}
}

// A Release that was just created has authors that are proven under its uid, and
// a former one's are not its own.
func TestLifeOfAuthors(t *testing.T) {
	w := webhook(t, prod())
	by := func(user string, was, now *v1alpha1.Release) *v1alpha1.Release {
		t.Helper()
		req := creating(t, person(user), now)
		if was != nil {
			req = updating(t, person(user), was, now)
		}
		response := w.Handle(t.Context(), req)
		if !response.Allowed {
			t.Fatalf("refused: %+v", response.Result)
		}
		return patched(t, req.Object.Raw, response)
	}
	rel := by(dev, nil, manifest())
	rel.UID, rel.Generation = "u1", 1
	written(dev)(t, rel)

	next := rel.DeepCopy()
	image("shop:2")(next)
	next = by("eve@corp", rel, next)
	written(dev, "eve@corp")(t, next)

	again := next.DeepCopy()
	again.UID = "u2"
	unproven("of another Release: it was written for an earlier Release of the same name")(t, again)

	next.Generation, next.Status.ObservedGeneration = 2, 2
	next.Status.Active = &v1alpha1.ActiveStatus{Content: v1alpha1.Content{Revision: revision(t, next.Spec)}}
	last := next.DeepCopy()
	image("shop:3")(last)
	written("zoe@corp")(t, by("zoe@corp", next, last))
}

// What is not a write of a Release's metadata or spec passes.
func TestNotReviewed(t *testing.T) {
	w := webhook(t)
	for name, req := range map[string]admissionv1.AdmissionRequest{
		"Delete":  {Operation: admissionv1.Delete},
		"Connect": {Operation: admissionv1.Connect},
		"Status":  {Operation: admissionv1.Update, SubResource: "status"},
		"Scale":   {Operation: admissionv1.Update, SubResource: "scale"},
	} {
		t.Run(name, func(t *testing.T) {
			full := updating(t, person(operator), stored(t), stored(t, image("shop:2"), set(vote+"x", candidate)))
			full.Operation, full.SubResource = req.Operation, req.SubResource
			if response := w.Handle(t.Context(), full); !response.Allowed || len(response.Patches) > 0 {
				t.Errorf("got %+v", response)
			}
		})
	}
}

func TestMalformedRequests(t *testing.T) {
	w := webhook(t, prod())
	for name, raw := range map[string][2]string{
		"NoObject":       {"", `{}`},
		"NotJSON":        {"{", `{}`},
		"NotARelease":    {`{"spec":7}`, `{}`},
		"OldNotJSON":     {`{"metadata":{"name":"shop"}}`, "{"},
		"OldNotARelease": {`{"metadata":{"name":"shop"}}`, `{"spec":"x"}`},
		"List":           {`[]`, `{}`},
	} {
		t.Run(name, func(t *testing.T) {
			req := updating(t, person(dev), stored(t), stored(t))
			req.Object.Raw, req.OldObject.Raw = []byte(raw[0]), []byte(raw[1])
			if response := w.Handle(t.Context(), req); response.Allowed || response.Result.Code != http.StatusBadRequest {
				t.Errorf("got %+v", response)
			}
		})
	}
}

// Without a key nothing is stamped, and nothing gets in unstamped.
func TestNoSigningKey(t *testing.T) {
	w := webhook(t, prod())
	w.Signer = receipt.NewSigner(nil)
	if response := w.Handle(t.Context(), creating(t, person(dev), manifest())); response.Allowed {
		t.Error("content without an author was let in")
	}
}

// An annotation that is too large for the API server is refused by it; what is
// stamped is small whatever the request holds.
func TestReceiptsAreSmall(t *testing.T) {
	groups := []string{"oidc:qa"}
	for range 2000 {
		groups = append(groups, "oidc:"+strings.Repeat("g", 200))
	}
	write{reason: "a user in many groups", by: person(strings.Repeat("b", 253), groups...), change: set(vote+strings.Repeat("s", 63), candidate),
		check: func(t *testing.T, rel *v1alpha1.Release) {
			t.Helper()
			if size := len(rel.Annotations[stamp+strings.Repeat("s", 63)]); size == 0 || size > 4<<10 {
				t.Errorf("the receipt has %d bytes", size)
			}
		}}.run(t)
}

// Whatever the annotations are, a request is answered, and what comes out of it
// holds no vote that this user did not cast.
func FuzzHandle(f *testing.F) {
	f.Add(vote+"bob", candidate, stamp+"bob", "v1 bob x y", qa, "JTI=1", true)
	f.Add(vote, "reject:", stamp, "", "system:a", "", false)
	f.Add(list, `["a"]`, listStamp, "v1 ", "a\nb", "JTI=", false)
	f.Add(glass+"bob", inc, glassStamp+"bob", "v1 bob x y", erin, "JTI=1", true)
	f.Add(comment+"bob", "\x1b", vote+"bob~1/", "\xff", "", "X509", true)
	w := webhook(f, emergencyPolicy())
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2, user, credential string, old bool) {
		// The API server sends UTF-8.
		for _, text := range []*string{&k1, &v1, &k2, &v2, &user, &credential} {
			*text = strings.ToValidUTF8(*text, "?")
		}
		was := stored(t, voted(t, "carol", carol, candidate))
		now := was.DeepCopy()
		if old {
			was.Annotations[k1], was.Annotations[k2] = v1, v2
		}
		set(k1, v1)(now)
		set(k2, v2)(now)
		for _, info := range []authenticationv1.UserInfo{with(credential, user, "oidc:qa"), with("", qa), person(bot)} {
			req := updating(t, info, was, now)
			response := w.Handle(t.Context(), req)
			if !response.Allowed {
				continue
			}
			noVoteFromNowhere(t, was, patched(t, req.Object.Raw, response), info)
		}
	})
}

func noVoteFromNowhere(t *testing.T, was, got *v1alpha1.Release, by authenticationv1.UserInfo) {
	t.Helper()
	for _, v := range receipt.Votes(got, "c1", verifier()) {
		before := was.Annotations[vote+v.Slot] == got.Annotations[vote+v.Slot] && was.Annotations[stamp+v.Slot] == got.Annotations[stamp+v.Slot]
		if v.Invalid == "" && !before && v.User != by.Username {
			t.Errorf("%s cast a vote of %s", by.Username, v.User)
		}
	}
	for _, g := range receipt.Glasses(got, "c1", verifier()) {
		if g.Invalid == "" && g.User != by.Username {
			t.Errorf("%s broke the glass as %s", by.Username, g.User)
		}
	}
	if known, _ := provenAuthors(t, got); !known && was.Annotations[list] != got.Annotations[list] {
		t.Errorf("the list of authors was changed to %q", got.Annotations[list])
	}
	if _, err := json.Marshal(got); err != nil {
		t.Error(err)
	}
}
