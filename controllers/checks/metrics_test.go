// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"errors"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	dto "github.com/prometheus/client_model/go"
)

func counted(t *testing.T, kind, result string) float64 {
	t.Helper()
	var m dto.Metric
	if err := rounds.WithLabelValues(kind, string(v1alpha1.StageAfterSwitch), result).Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetCounter().GetValue()
}

// What was asked is counted by what came of it; that there was nobody to ask is not.
func TestRoundsAreCounted(t *testing.T) {
	kinds := map[string]v1alpha1.Check{
		"http": {HTTP: &v1alpha1.HTTPCheck{}}, "tcp": {TCP: &v1alpha1.TCPCheck{}}, "grpc": {GRPC: &v1alpha1.GRPCCheck{}}, "prometheus": {Prometheus: &v1alpha1.PrometheusCheck{}},
	}
	for kind, check := range kinds {
		for _, row := range []struct {
			err  error
			want string
		}{{nil, "passed"}, {errors.New("500"), "failed"}, {unclearf("who knows"), "inconclusive"}, {errMoved, "inconclusive"}, {errNobody, ""}} {
			before := map[string]float64{}
			for _, result := range []string{"passed", "failed", "inconclusive"} {
				before[result] = counted(t, kind, result)
			}
			countRound(Run{Check: check, Stage: v1alpha1.StageAfterSwitch}, row.err, 0.1)
			for result, n := range before {
				want := n
				if result == row.want {
					want++
				}
				if got := counted(t, kind, result); got != want {
					t.Errorf("%s with %v: %s is %v, want %v", kind, row.err, result, got, want)
				}
			}
		}
	}
}

// A Prober counts each of its rounds.
func TestProberCounts(t *testing.T) {
	before := counted(t, "http", "passed")
	inBubble(t, func(b *bench) {
		b.prober.Sync(shop, []Run{run(since, "d1", "a")})
		b.after(11 * time.Second)
	})
	if got := counted(t, "http", "passed") - before; got != 3 {
		t.Errorf("%v rounds are counted, want those at 0, 5 and 10 seconds", got)
	}
}
