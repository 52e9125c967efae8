// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
	"k8s.io/apimachinery/pkg/types"
)

// measure is a PrometheusCheck that is ready to be asked.
type measure struct {
	success   v1alpha1.MetricSuccess
	threshold float64
	client    *http.Client
	url       string
}

// prometheusQuestion is put once for all Pods of a run.
func (a *asker) prometheusQuestion(ctx context.Context, release types.NamespacedName, c v1alpha1.PrometheusCheck, run Run) (question, error) {
	at, err := url.Parse(c.Address)
	if err != nil || at.Scheme != "http" && at.Scheme != "https" {
		return nil, unclearf("address is no URL: write http://<service>.<namespace>.svc:<port>")
	}
	threshold, err := strconv.ParseFloat(c.Success.Value, 64)
	if err != nil {
		return nil, unclearf("success.value is no number: write a decimal one")
	}
	config, err := a.authorities.config(ctx, release.Namespace, c.TLS)
	if err != nil {
		return nil, err
	}
	dial, err := a.services.dialer(ctx, at)
	if err != nil {
		return nil, err
	}
	at = at.JoinPath("api", "v1", "query")
	at.RawQuery = url.Values{
		"query":   {fill(c.Query, release.Namespace, run.Targets)},
		"timeout": {strconv.Itoa(int(max(run.Check.TimeoutSeconds, 1))) + "s"},
	}.Encode()
	return measure{c.Success, threshold, newClient(config, dial), at.String()}.ask, nil
}

// fill in what stands for something else.
func fill(query, namespace string, pods []Target) string {
	return strings.NewReplacer(v1alpha1.QueryNamespace, namespace, v1alpha1.QueryPods, podsPattern(pods)).Replace(query)
}

// suffixLength is how much of a Pod's name its ReplicaSet does not give.
const suffixLength = 5

// podsPattern matches Pods by their ReplicaSets, of which there is one at most
// times: it does not grow with their number, and finds those that come later. A
// backslash would have to be escaped in PromQL, so there is none.
func podsPattern(pods []Target) string {
	var patterns []string
	for _, t := range pods {
		quoted := strings.ReplaceAll(t.Pod, ".", "[.]")
		if set := len(t.Pod) - suffixLength; set > 0 && strings.HasSuffix(t.Pod[:set], "-") {
			quoted = strings.ReplaceAll(t.Pod[:set], ".", "[.]") + "[a-z0-9]{5}"
		}
		patterns = append(patterns, quoted)
	}
	slices.Sort(patterns)
	return strings.Join(slices.Compact(patterns), "|")
}

// ask for the number. Anything but a number says nothing about the Pods.
func (m measure) ask(ctx context.Context, _ Target) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.url, nil)
	if err != nil {
		return unclearf("the query cannot be sent: look at address")
	}
	req.Header.Set("User-Agent", userAgent)
	resp, err := m.client.Do(req)
	if err != nil {
		return unclearf("the Prometheus %s", complaint(err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, bodyLimit+1))
	switch {
	case err != nil:
		return unclearf("the Prometheus broke off its answer")
	case len(body) > bodyLimit:
		return unclearf("the Prometheus answered more than %d KiB; write a query with one number as its result", bodyLimit>>10)
	}
	value, err := number(resp.StatusCode, body)
	if err != nil {
		return err
	}
	if !m.holds(value) {
		return fmt.Errorf("the result is %s, and success is %s %s", strconv.FormatFloat(value, 'g', 6, 64), m.success.Operator, m.success.Value)
	}
	return nil
}

func (m measure) holds(value float64) bool {
	switch m.success.Operator {
	case v1alpha1.LessThan:
		return value < m.threshold
	case v1alpha1.AtMost:
		return value <= m.threshold
	case v1alpha1.Equal:
		return value == m.threshold
	case v1alpha1.AtLeast:
		return value >= m.threshold
	case v1alpha1.MoreThan:
		return value > m.threshold
	}
	return false
}
