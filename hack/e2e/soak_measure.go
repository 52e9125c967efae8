// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/countersign/countersign/hack/cluster/load"
	"github.com/countersign/countersign/hack/e2e/operator"
	"github.com/countersign/countersign/hack/e2e/soak"
	"github.com/countersign/countersign/hack/e2e/story"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// conclude judges the requests and the switches, prints the figures and fails
// unless all is as it should be. Times of switches and votes are taken from the
// API server's audit log.
func (s *soaker) conclude(ctx context.Context, records map[soak.Kind][]load.Record) error {
	ctx = context.WithoutCancel(ctx)
	switches, err := s.switches()
	verdict := soak.Judge(soak.Run{Records: records, Switches: switches, Sick: s.sick})
	err = errors.Join(err, s.wantsSamePods(), verdict.Problems(soakPeriod))
	if s.Err() != nil {
		fmt.Fprintf(s.out, "\n# the operator's log ends with:\n%s\n",
			operator.Output(ctx, s.cluster, ".", "logs", "deployment/"+operator.Account, "-n", operator.Namespace, "--tail=40", "--all-pods"))
	}
	fmt.Fprintf(s.out, "\n# %s\n", machine())
	verdict.Print(s.out, soakPeriod)
	var failures []time.Time
	for _, f := range verdict.Failures[:min(len(verdict.Failures), toldFailures)] {
		failures = append(failures, f.Request.At)
	}
	s.endpoints.print(s.out, failures)
	promotions, rollbacks := int(s.promotions.Load()), int(s.rollbacks.Load())
	if promotions != s.options.promotions || rollbacks != s.options.rollbacks {
		err = errors.Join(err, fmt.Errorf("%d of %d promotions and %d of %d rollbacks were done", promotions, s.options.promotions, rollbacks, s.options.rollbacks))
	}
	word := "ok"
	if err != nil || s.Err() != nil {
		word = "FAILED"
	}
	fmt.Fprintf(s.out, "soak: %s %s promotions=%d rollbacks=%d seconds=%.0f\n", word, verdict.Line(), promotions, rollbacks, time.Since(s.started).Seconds())
	return err
}

// machine says what the figures were taken on, because they depend on it.
func machine() string {
	average, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		average = []byte("unknown")
	}
	return fmt.Sprintf("%d CPUs, load average %s", runtime.NumCPU(), strings.TrimSpace(string(average)))
}

// switches are the writes of the Service under traffic, which have to be those
// that were caused and no others, and the last one before. With an error they are
// as many as could be told apart.
func (s *soaker) switches() (out []soak.Switch, err error) {
	all, err := story.Requests(s.cluster.AuditLog())
	if err != nil {
		return nil, err
	}
	var before, writes []story.Request
	for _, r := range all {
		switch {
		case !s.writesService(r):
		case r.Received.Before(s.underWay):
			before = append(before, r)
		default:
			writes = append(writes, r)
		}
	}
	if len(before) == 0 {
		return nil, errors.New("the audit log has no write of the Service before the traffic")
	}
	if len(writes) != len(s.moves)-1 {
		err = fmt.Errorf("the audit log has %d writes of the Service under traffic, want %d", len(writes), len(s.moves)-1)
	}
	writes = append(before[len(before)-1:], writes...)
	for i, m := range s.moves[:min(len(s.moves), len(writes))] {
		w := writes[i]
		sw := soak.Switch{Epoch: int64(i + 1), Rollback: m.rollback, To: m.to, Received: w.Received, Written: w.Done}
		if m.rollback {
			sw.Asked = s.sick[s.moves[i-1].to]
		} else {
			var voteErr error
			sw.Asked, voteErr = story.LastVote(all, []string{"alice@example.com", "bob@example.com"}, s.Release.Namespace, s.Release.Name, w.Done)
			err = errors.Join(err, voteErr)
		}
		out = append(out, sw)
	}
	return out, err
}

func (s *soaker) writesService(r story.Request) bool {
	return r.User == operator.User && r.Verb == "patch" && r.Resource == "services" && r.Subresource == "" &&
		r.Namespace == s.Release.Namespace && r.Name == s.Release.Name && r.Code == http.StatusOK
}

// operatorPods are the Pods that decide, by how often they were restarted.
func (s *soaker) operatorPods() (map[types.UID]int32, error) {
	var pods corev1.PodList
	if err := s.Client.List(context.WithoutCancel(s.ctx), &pods, client.InNamespace(operator.Namespace)); err != nil {
		return nil, err
	}
	restarts := map[types.UID]int32{}
	for i := range pods.Items {
		if pods.Items[i].DeletionTimestamp != nil {
			continue // replaced when the operator was installed
		}
		for j := range pods.Items[i].Status.ContainerStatuses {
			restarts[pods.Items[i].UID] += pods.Items[i].Status.ContainerStatuses[j].RestartCount
		}
	}
	return restarts, nil
}

// wantsSamePods fails when a Pod of the operator or of the webhook ended.
func (s *soaker) wantsSamePods() error {
	now, err := s.operatorPods()
	if err != nil {
		return err
	}
	for uid, restarts := range s.pods {
		if again, there := now[uid]; !there || again != restarts {
			return fmt.Errorf("a Pod of the operator or of the webhook was restarted or replaced: look at its log by --keep")
		}
	}
	return nil
}
