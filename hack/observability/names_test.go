// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package observability

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// foreign are metrics of controller-runtime, with their labels.
var foreign = map[string][]string{
	"leader_election_master_status":             {"name"},
	"controller_runtime_reconcile_errors_total": {"controller"},
	"controller_runtime_reconcile_total":        {"controller", "result"},
}

var row = regexp.MustCompile("(?m)^\\| `(countersign_\\w+)` \\| (\\w+) \\| ([^|]*) \\|")

// registered are the metrics that there are, with their labels, by the page that is
// made from what is registered.
func registered(t *testing.T) map[string][]string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "docs/metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	known := map[string][]string{}
	for name, of := range foreign {
		known[name] = of
	}
	for _, m := range row.FindAllStringSubmatch(string(page), -1) {
		var of []string
		for _, l := range strings.Split(m[3], ",") {
			of = append(of, strings.Trim(l, " `"))
		}
		known[m[1]] = of
		if m[2] == "histogram" {
			known[m[1]+"_bucket"] = append(slices.Clone(of), "le")
			known[m[1]+"_sum"], known[m[1]+"_count"] = of, of
		}
	}
	if len(known) < 20 {
		t.Fatalf("docs/metrics.md has %d metrics", len(known))
	}
	return known
}

// check wants an expression to be one, of metrics and labels that there are.
func check(t *testing.T, where, text string, known map[string][]string) {
	t.Helper()
	expr, err := promql.ParseExpr(text)
	if err != nil {
		t.Errorf("%s: %v", where, err)
		return
	}
	parser.Inspect(expr, func(node parser.Node, path []parser.Node) error {
		selector, is := node.(*parser.VectorSelector)
		if !is {
			return nil
		}
		of, there := known[selector.Name]
		if !there {
			t.Errorf("%s: there is no metric %s", where, selector.Name)
		}
		for _, m := range selector.LabelMatchers {
			if m.Name != labels.MetricName && !slices.Contains(of, m.Name) {
				t.Errorf("%s: %s has no label %s", where, selector.Name, m.Name)
			}
		}
		for _, above := range path {
			if a, is := above.(*parser.AggregateExpr); is {
				for _, l := range a.Grouping {
					if !slices.Contains(of, l) {
						t.Errorf("%s: %s has no label %s to group by", where, selector.Name, l)
					}
				}
			}
		}
		return nil
	})
}

func TestAlertsAreOfMetricsThatThereAre(t *testing.T) {
	known := registered(t)
	for _, g := range groups(t) {
		for _, r := range g.Rules {
			check(t, r.Alert, r.Expr, known)
		}
	}
}

type panel struct {
	Type, Title, Description string
	Targets                  []struct{ Expr string }
	Panels                   []panel
}

func TestDashboard(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(root, "config/observability/dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		UID, Title string
		Templating struct {
			List []struct {
				Type  string
				Query any
			}
		}
		Panels []panel
	}
	if err := json.Unmarshal(raw, &dashboard); err != nil {
		t.Fatal(err)
	}
	known, shown, expressions := registered(t), map[string]bool{}, 0
	for _, v := range dashboard.Templating.List {
		if query, is := v.Query.(map[string]any); is {
			name, _, _ := strings.Cut(strings.TrimPrefix(query["query"].(string), "label_values("), ",")
			if known[name] == nil {
				t.Errorf("a variable is of %s, which there is not", name)
			}
		}
	}
	var visit func([]panel)
	visit = func(panels []panel) {
		for _, p := range panels {
			visit(p.Panels)
			if p.Type != "row" && len(p.Targets) == 0 {
				t.Errorf("panel %s shows nothing", p.Title)
			}
			for _, target := range p.Targets {
				expressions++
				check(t, p.Title, strings.ReplaceAll(target.Expr, "$namespace", "prod"), known)
				for name := range known {
					if regexp.MustCompile(`\b` + name + `\b`).MatchString(target.Expr) {
						shown[strings.TrimSuffix(name, "_bucket")] = true
					}
				}
			}
		}
	}
	visit(dashboard.Panels)
	if dashboard.UID == "" || dashboard.Title == "" || expressions < 20 {
		t.Errorf("the dashboard %q has %d expressions", dashboard.Title, expressions)
	}
	// What is measured is shown, but for what only counts ways.
	for name := range known {
		of := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_sum"), "_count"), "_bucket")
		if strings.HasPrefix(name, "countersign_") && !shown[of] && !shown[name] && name != "countersign_phase_transitions_total" {
			t.Errorf("%s is in no panel", name)
		}
	}
}
