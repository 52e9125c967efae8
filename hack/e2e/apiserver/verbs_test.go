// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// TestEveryVerb finds a way to write that no attack is tried by.
func TestEveryVerb(t *testing.T) {
	s := serviceStage(t)
	for _, tc := range []struct {
		a    attempt
		want string
	}{
		{attempt{what: "changed", who: "dev", on: "services/shop", change: leadTo("green")},
			"update, json patch, merge patch, strategic merge patch, server-side apply"},
		{attempt{what: "deleted", who: "dev", on: "services/shop"}, "delete, delete collection"},
		{attempt{what: "made", who: "dev", create: serviceText("made", "active", "0", "none")},
			"create, create with generateName, create by server-side apply, create by update"},
	} {
		t.Run("sec/23 "+tc.a.what, func(t *testing.T) {
			var tried []string
			for _, verb := range tc.a.verbs() {
				err, exists := s.try(t, s.actors["dev"], tc.a, verb)
				if exists {
					tried = append(tried, verb)
					refused(t, verb, err, "'"+servicePolicy+"'")
				}
			}
			if got := strings.Join(tried, ", "); got != tc.want {
				t.Errorf("it is tried by %s; want %s", got, tc.want)
			}
		})
	}
	t.Run("sec/23 no other kind of patch is taken", func(t *testing.T) {
		for _, kind := range []types.PatchType{types.ApplyCBORPatchType, "application/x-unknown-patch"} {
			force := true
			_, err := s.actors["dev"].resource("services", s.namespace).Patch(within(t), "shop", kind, []byte{0xa0}, metav1.PatchOptions{Force: &force, FieldManager: "x"})
			refused(t, string(kind), err, "Unsupported Media Type")
		}
	})
}
