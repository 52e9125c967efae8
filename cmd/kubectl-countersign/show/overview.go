// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package show

import "github.com/countersign/countersign/api/v1alpha1"

// Overview is how the Releases of a namespace stand.
type Overview struct {
	Namespace string   `json:"namespace"`
	Releases  []Status `json:"releases"`
}

// OverviewOf Releases, by what their status says alone.
func OverviewOf(namespace string, releases []v1alpha1.Release) Overview {
	o := Overview{Namespace: namespace}
	for i := range releases {
		o.Releases = append(o.Releases, StatusOf(&World{Release: releases[i]}))
	}
	return o
}

// Text is the overview for a person.
func (o Overview) Text(style Style) string {
	p := &page{Style: style}
	if len(o.Releases) == 0 {
		p.line(text("There is no Release in namespace %s; look in the others: kubectl get releases -A", o.Namespace))
		return p.String()
	}
	rows := [][]cell{{text("NAME"), text("PHASE"), text("APPROVALS"), text("WAITING FOR")}}
	for _, s := range o.Releases {
		phase := cell{string(s.Phase), plain}
		if s.Wrong {
			phase.tone = bad
		}
		rows = append(rows, []cell{{s.Name, strong}, phase, text("%s", s.Approvals), text("%s", s.WaitingFor)})
	}
	p.table(rows)
	return p.String()
}
