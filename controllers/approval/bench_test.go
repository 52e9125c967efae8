// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/countersign/countersign/controllers/approval"
)

// BenchmarkEvaluate judges 32 votes on 16 seats. The first half of the voters
// fits every rule, so that those who fit few push them from seat to seat.
func BenchmarkEvaluate(b *testing.B) {
	for name, count := range map[string]int{"Approved": 16, "Pending": 15} {
		b.Run(name, func(b *testing.B) {
			policies, votes := crowd(count)
			subject := approval.Subject{Digest: candidate, Authors: []string{"dev"}, AuthorsKnown: true}
			b.ReportAllocs()
			for b.Loop() {
				if v := approval.Evaluate(policies, subject, votes, noon()); (v.Outcome == approval.Approved) != (count == 16) {
					b.Fatal(v.Message)
				}
			}
		})
	}
}

func crowd(named int) (policies []approval.Policy, votes []approval.Vote) {
	for p := range 4 {
		at := policy(fmt.Sprintf("p%d", p))
		for r := range 4 {
			rule := group(fmt.Sprintf("r%d", r), 1, fmt.Sprintf("g%d", p*4+r))
			if p*4+r >= named {
				rule.Groups = []string{"nobody"}
			}
			at.Rules = append(at.Rules, rule)
		}
		policies = append(policies, at)
	}
	for i := range 32 {
		var groups []string
		for g := range 16 {
			if i < 16 || g == i-16 {
				groups = append(groups, fmt.Sprintf("g%d", g))
			}
		}
		votes = append(votes, aged(time.Duration(i)*time.Minute, yes(fmt.Sprintf("u%d", i), groups...)))
	}
	return policies, votes
}
