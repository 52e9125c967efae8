// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval

import (
	"fmt"
	"strings"
)

const (
	noPolicy     = "no ApprovalPolicy with rules covers the namespace; ask the platform team to add it to one (kubectl edit approvalpolicy default)"
	noDigest     = "the digest of the candidate is not known yet; votes are taken as soon as the candidate is materialised"
	noAuthors    = "it is not proven who changed the content, so nobody could be kept from approving their own work; apply the active content, then the change again"
	vetoOfAuthor = "it blocks the candidate, because its voter changed the content; it holds until its voter withdraws it or the content changes"
	vetoOfRule   = "it blocks the candidate; it holds until its voter withdraws it or the content changes"
	noVeto       = "it blocks nothing, because no rule that names its voter can veto; ask somebody who can"
	reserve      = "every seat that its voter could take is filled; it is kept in reserve"
	ahead        = "it was cast in the future by the operator's clock; have the clocks of the control plane set right, then withdraw it and cast it again"
)

// void says why a vote proves nothing about the subject, whoever may vote;
// empty if it does.
func (b *ballot) void(v Vote) string {
	switch {
	case v.Invalid != "":
		return v.Invalid
	case v.Decision != Approve && v.Decision != Reject:
		return "it neither approves nor rejects; write the digest of the candidate, with reject: before it to reject"
	case v.Digest != b.subject.Digest:
		return fmt.Sprintf("it is for %s, the candidate is %s; look at the candidate and vote on it", short(v.Digest), short(b.subject.Digest))
	case v.User == "":
		return "its receipt names nobody; cast it again"
	case isProgram(v.User):
		return fmt.Sprintf("%s is not a person; a person that a policy names has to vote", v.User)
	}
	return ""
}

// barred says why an approval cannot count at any time; empty if it can.
func (b *ballot) barred(i int) string {
	v := &b.votes[i]
	if slot, ok := b.rejects[b.persons.of(v.User)]; ok {
		return fmt.Sprintf("the same person rejects in slot %s; withdraw the rejection to let this count", slot)
	}
	if why := b.excluded(v.User); why != "" {
		return why
	}
	for at := range b.places {
		if b.admitted[i][at] {
			return ""
		}
	}
	return b.unnamed(v.User)
}

// excluded says why the user cannot approve this content; empty if they may.
func (e *electorate) excluded(user string) string {
	account, is := e.author(user)
	switch {
	case !is || e.authorsMayApprove:
		return ""
	case account == user:
		return fmt.Sprintf("%s changed the content and cannot approve it; somebody else has to", user)
	}
	return fmt.Sprintf("%s is the same person as %s, who changed the content and cannot approve it; somebody else has to", user, account)
}

func (e *electorate) unnamed(user string) string {
	var names []string
	for _, where := range e.places {
		if where.broken == "" {
			names = append(names, e.label(where))
		}
	}
	if len(names) == 0 {
		return "no rule can be met by anybody; ask the owners of the policies to mend them"
	}
	return fmt.Sprintf("no rule names %s or a group that the receipt proves; somebody has to vote whom one of these names: %s", user, list(names))
}

// explainApprovals says what becomes of the approvals that are not barred.
func (b *ballot) explainApprovals(f *filling) {
	for _, vote := range b.approvals {
		if v := &b.votes[vote]; v.At.After(f.at.Add(ClockSkew)) {
			v.Why = ahead
		} else if !f.standsAnywhere(vote) {
			v.Why = b.expired(vote)
		}
	}
	b.explainSeats(f)
	b.explainVoices(f)
	for _, who := range f.voters {
		counts := who.votes[0]
		for _, vote := range who.votes {
			if b.votes[vote].Counted {
				counts = vote
			}
		}
		for _, vote := range who.votes {
			if v := &b.votes[vote]; !v.Counted && vote == counts {
				v.Why = reserve
			} else if !v.Counted {
				v.Why = fmt.Sprintf("the same person votes in slot %s, and a person counts once; nothing has to be done", b.votes[counts].Slot)
			}
		}
	}
}

func (b *ballot) explainSeats(f *filling) {
	for at, holders := range f.holders {
		for _, who := range holders {
			v := &b.votes[f.claim(who, at)]
			v.Counted, v.Rule = true, b.label(b.places[at])
			v.Why = "it fills a seat of " + v.Rule
		}
	}
}

// explainVoices marks the persons without a seat who are needed to make up the
// number of persons that a policy demands.
func (b *ballot) explainVoices(f *filling) {
	sits, marked := f.seated(), make([]bool, len(f.voters))
	for p := range b.policies {
		demanded := b.policies[p].MinDistinctPersons
		need := demanded
		for _, who := range f.voices[p] {
			if sits[who] {
				need--
			}
		}
		for _, who := range f.voices[p] {
			if sits[who] || need <= 0 {
				continue
			}
			need--
			if v := &b.votes[f.voice(who, p)]; !marked[who] {
				marked[who] = true
				v.Counted, v.Rule = true, b.policies[p].Name+"/"+RuleDistinctPersons
				v.Why = fmt.Sprintf("it is one of the %d persons whom policy %s demands", demanded, b.policies[p].Name)
			}
		}
	}
}

// expired names the policy that would have let the approval last longest.
func (b *ballot) expired(vote int) string {
	longest := -1
	for at, where := range b.places {
		if b.admitted[vote][at] && (longest < 0 || b.policies[where.policy].ValidFor > b.policies[longest].ValidFor) {
			longest = where.policy
		}
	}
	p := &b.policies[longest]
	return fmt.Sprintf("it has expired: policy %s lets an approval count for %s; withdraw it and cast it again", p.Name, p.ValidFor)
}

// short is enough of a digest to tell it from others.
func short(digest string) string {
	hex, ok := strings.CutPrefix(digest, digestPrefix)
	switch {
	case digest == "":
		return "no digest"
	case ok && len(hex) > 12:
		return digestPrefix + hex[:12] + "..."
	}
	return fmt.Sprintf("%.32q", digest)
}

// maxListed bounds how many names a sentence has.
const maxListed = 4

// list is a few names.
func list(names []string) string {
	if len(names) > maxListed {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxListed], ", "), len(names)-maxListed)
	}
	return strings.Join(names, ", ")
}
