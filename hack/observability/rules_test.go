// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package observability

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/rules"
	"sigs.k8s.io/yaml"
)

// root is the top of the checkout.
const root = "../.."

var promql = parser.NewParser(parser.Options{})

// spec is that of the PrometheusRule, as a file of rules.
func spec(t *testing.T) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, "config/observability/prometheusrule.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var rule struct {
		APIVersion, Kind string
		Metadata         map[string]any
		Spec             map[string]any
	}
	if err := yaml.UnmarshalStrict(raw, &rule); err != nil {
		t.Fatal(err)
	}
	text, err := yaml.Marshal(rule.Spec)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func groups(t *testing.T) []rulefmt.RuleGroup {
	t.Helper()
	parsed, errs := rulefmt.Parse(spec(t), false, model.UTF8Validation, promql, promslog.NewNopLogger())
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return parsed.Groups
}

// Every alert says how bad it is, what happened, what it means, and the command to
// begin with. A test fires each.
func TestAlertsSayWhatToDo(t *testing.T) {
	fired := map[string]bool{}
	for _, s := range scenarios {
		fired[s.alert] = true
	}
	page, err := os.ReadFile(filepath.Join(root, "docs/observability.md"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, g := range groups(t) {
		for _, r := range g.Rules {
			n++
			if !strings.Contains(string(page), fmt.Sprintf("\n| `%s` | %s | ", r.Alert, r.Labels["severity"])) {
				t.Errorf("docs/observability.md does not have %s, as %s", r.Alert, r.Labels["severity"])
			}
			if !slices.Contains([]string{"info", "warning", "critical"}, r.Labels["severity"]) {
				t.Errorf("%s has the severity %q", r.Alert, r.Labels["severity"])
			}
			for _, a := range []string{"summary", "description", "runbook"} {
				if r.Annotations[a] == "" {
					t.Errorf("%s has no %s", r.Alert, a)
				}
			}
			if !strings.HasPrefix(r.Annotations["runbook"], "kubectl ") {
				t.Errorf("%s: the runbook is no command: %s", r.Alert, r.Annotations["runbook"])
			}
			if !fired[r.Alert] {
				t.Errorf("no scenario fires %s", r.Alert)
			}
		}
	}
	if rows := strings.Count(string(page), "\n| `Countersign"); n < 12 || rows != n {
		t.Errorf("there are %d alerts, and docs/observability.md has %d", n, rows)
	}
}

// scenario is a world, a sample a minute, and when the alert is to fire in it.
type scenario struct {
	name, alert, series string
	// quiet is a minute at which it does not fire, fires one at which it does; -1 is
	// never.
	quiet, fires int
	// runbook and summary that it has, where they depend on the series.
	runbook, summary string
}

const release = `namespace="prod",name="shop"`

// healthy keeps what watches for absence quiet.
const healthy = `leader_election_master_status{name="countersign-operator",pod="a"} 1x60
leader_election_master_status{name="countersign-operator",pod="b"} 0x60
`

var scenarios = []scenario{
	{"RolledBack", "CountersignRolledBack", `countersign_release_stalled{` + release + `,reason="RolledBack",pod="a"} _x4 1x60`, 3, 6, "kubectl describe release shop -n prod", "Release prod/shop was rolled back"},
	{"RolledBackIsNotHalted", "CountersignHalted", `countersign_release_stalled{` + release + `,reason="RolledBack",pod="a"} 1x60
countersign_release_phase{` + release + `,phase="Halted",pod="a"} 1x60`, 50, -1, "", ""},
	{"Halted", "CountersignHalted", `countersign_release_stalled{` + release + `,reason="CheckFailed",pod="a"} 1x60
countersign_release_phase{` + release + `,phase="Halted",pod="a"} 1x60`, 14, 16, "kubectl describe release shop -n prod", ""},
	{"HaltedIsNotStalled", "CountersignStalled", `countersign_release_stalled{` + release + `,reason="CheckFailed",pod="a"} 1x60
countersign_release_phase{` + release + `,phase="Halted",pod="a"} 1x60`, 50, -1, "", ""},
	{"Stalled", "CountersignStalled", `countersign_release_stalled{` + release + `,reason="ServiceMissing",pod="a"} 1x60
countersign_release_phase{` + release + `,phase="Preparing",pod="a"} 1x60`, 9, 11, "kubectl describe release shop -n prod", "Release prod/shop cannot go on (ServiceMissing)"},
	{"StalledByTheGate", "CountersignStalled", `countersign_release_stalled{` + release + `,reason="GateFrozen",pod="a"} 1x60`, 50, -1, "", ""},
	{"NothingToGoBackTo", "CountersignServingFails", `countersign_release_stalled{` + release + `,reason="RollbackImpossible",pod="a"} 1x60`, 0, 2, "kubectl describe release shop -n prod", ""},
	{"Irreversible", "CountersignServingFails", `countersign_release_stalled{` + release + `,reason="Irreversible",pod="a"} 1x60`, 0, 2, "kubectl describe release shop -n prod", ""},
	// Since ten minutes before the beginning of time.
	{"Waiting", "CountersignApprovalWaiting", `countersign_approval_waiting_since_timestamp_seconds{` + release + `,pod="a"} -84600x60`, 25, 35, "kubectl get release shop -n prod", ""},
	{"ReviewOverdue", "CountersignReviewOverdue", `countersign_review_overdue{` + release + `,pod="a"} _x4 2x60`, 3, 6, "", ""},
	{"BreakGlass", "CountersignBreakGlassUsed", `countersign_break_glass_total{pod="a"} 0x10 1x50`, 9, 13, "", ""},
	{"BreakGlassIsOver", "CountersignBreakGlassUsed", `countersign_break_glass_total{pod="a"} 0x10 1x50`, 40, 13, "", ""},
	{"Frozen", "CountersignGateFrozen", `countersign_gate_frozen{pod="a"} 1x60
countersign_gate_frozen{pod="b"} 0x60`, 1, 3, "", ""},
	{"Open", "CountersignGateFrozen", `countersign_gate_frozen{pod="a"} 0x60`, 50, -1, "", ""},
	{"WebhookDown", "CountersignWebhookDown", `countersign_gate_intact{guard="webhook",pod="a"} 0x60
countersign_gate_intact{guard="keys",pod="a"} 1x60`, 1, 3, "", ""},
	{"AnotherGuard", "CountersignWebhookDown", `countersign_gate_intact{guard="webhook",pod="a"} 1x60
countersign_gate_intact{guard="keys",pod="a"} 0x60`, 50, -1, "", ""},
	{"WebhookErrors", "CountersignWebhookErrors", `countersign_admission_decisions_total{reason="Error",pod="w"} 0+3x60`, 4, 8, "", ""},
	{"WebhookRefuses", "CountersignWebhookErrors", `countersign_admission_decisions_total{reason="Digest",pod="w"} 0+3x60`, 50, -1, "", ""},
	{"NoLeader", "CountersignNoLeader", `leader_election_master_status{name="countersign-operator",pod="a"} 0x60`, 1, 3, "", ""},
	{"NoOperator", "CountersignNoLeader", `up 1x60`, 1, 3, "", ""},
	{"AnotherLeader", "CountersignNoLeader", `leader_election_master_status{name="countersign-operator",pod="a"} 1x9 0x50
leader_election_master_status{name="countersign-operator",pod="b"} 0x10 1x49`, 30, -1, "", ""},
	{"Errors", "CountersignReconcileErrors", `controller_runtime_reconcile_errors_total{controller="release",pod="a"} 0+30x60`, 14, 25, "", ""},
	{"Dropped", "CountersignNotificationsDropped", `countersign_notifications_dropped_total{reason="full",pod="a"} 0x10 1x50
countersign_notifications_dropped_total{reason="gone",pod="a"} 0x60`, 9, 13, "", "Notifications were dropped (full)"},
	{"FewErrors", "CountersignReconcileErrors", `controller_runtime_reconcile_errors_total{controller="release",pod="a"} 0+1x60`, 50, -1, "", ""},
}

func TestAlerts(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(file, spec(t), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			if s.fires < 0 && s.quiet < 0 {
				t.Fatal("it tries nothing")
			}
			series := s.series
			if s.alert != "CountersignNoLeader" {
				series = healthy + series
			}
			fired := play(t, file, series)
			if got := fired(s.alert, s.quiet); len(got) > 0 {
				t.Errorf("at minute %d it fires: %v", s.quiet, got)
			}
			if s.fires < 0 {
				return
			}
			got := fired(s.alert, s.fires)
			if len(got) != 1 {
				t.Fatalf("at minute %d it fires %d times", s.fires, len(got))
			}
			for annotation, want := range map[string]string{"runbook": s.runbook, "summary": s.summary} {
				if text := got[0].Annotations.Get(annotation); want != "" && text != want || strings.Contains(text, "<no value>") {
					t.Errorf("its %s is %q, want %q", annotation, text, want)
				}
			}
		})
	}
	t.Run("Healthy", func(t *testing.T) {
		fired := play(t, file, healthy+`countersign_release_phase{`+release+`,phase="Stable",pod="a"} 1x60
countersign_gate_frozen 0x60
countersign_gate_intact{guard="webhook"} 1x60
countersign_break_glass_total 3x60`)
		for _, g := range groups(t) {
			for _, r := range g.Rules {
				if got := fired(r.Alert, 50); len(got) > 0 {
					t.Errorf("%s fires in a healthy world: %v", r.Alert, got)
				}
			}
		}
	})
}

// play evaluates the rules each minute of an hour, as promtool does.
func play(t *testing.T, file, series string) func(alert string, minute int) []*rules.Alert {
	t.Helper()
	loader, err := promqltest.NewLazyLoader("load 1m\n"+indented(series), promqltest.LazyLoaderOpts{EnableAtModifier: true, EnableNegativeOffset: true, Parser: promql})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := loader.Close(); err != nil {
			t.Error(err)
		}
	})
	manager := rules.NewManager(&rules.ManagerOptions{
		QueryFunc: rules.EngineQueryFunc(loader.QueryEngine(), loader.Storage()), AppendableV2: loader.Storage(),
		Context: t.Context(), NotifyFunc: func(context.Context, string, ...*rules.Alert) {}, Logger: promslog.NewNopLogger(), Parser: promql,
	})
	loaded, errs := manager.LoadGroups(time.Minute, labels.EmptyLabels(), "", nil, false, file)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	fired := map[string][]*rules.Alert{}
	for minute := range 60 {
		at := time.Unix(0, 0).UTC().Add(time.Duration(minute) * time.Minute)
		loader.WithSamplesTill(at, func(err error) {
			if err != nil {
				t.Fatal(err)
			}
			for _, g := range loaded {
				g.Eval(loader.Context(), at)
				for _, r := range g.Rules() {
					if r.LastError() != nil {
						t.Fatalf("%s: %v", r.Name(), r.LastError())
					}
					for _, a := range r.(*rules.AlertingRule).ActiveAlerts() {
						if a.State == rules.StateFiring {
							key := fmt.Sprint(r.Name(), " ", minute)
							fired[key] = append(fired[key], a)
						}
					}
				}
			}
		})
	}
	return func(alert string, minute int) []*rules.Alert { return fired[fmt.Sprint(alert, " ", minute)] }
}

func indented(series string) string {
	var text bytes.Buffer
	for line := range strings.Lines(series) {
		text.WriteString("  " + strings.TrimSpace(line) + "\n")
	}
	return text.String()
}
