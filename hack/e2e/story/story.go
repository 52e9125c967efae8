// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Package story tells what happens on a cluster by real commands and their real
// output. A step that does not end as it should stops the story: the steps after
// it do nothing, and Err says what went wrong.
package story

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/hack/cluster/identity"
	"github.com/countersign/countersign/hack/cluster/local"
	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/watch"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
)

// patience is how long a step waits for what it expects.
const patience = 2 * time.Minute

// Story is told on one cluster about one Release.
type Story struct {
	// Release that it is about.
	Release types.NamespacedName
	// Client acts as the cluster's admin.
	Client client.WithWatch

	ctx     context.Context
	cluster *local.Cluster
	dir     string
	out     io.Writer
	err     error
	started time.Time
}

// Tell begins a story. Commands run in dir; what happens is written to out.
func Tell(ctx context.Context, c *local.Cluster, dir string, release types.NamespacedName, out io.Writer) (*Story, error) {
	ctrllog.SetLogger(logr.Discard()) // what matters is told here
	config, err := c.Config(identity.Admin)
	if err != nil {
		return nil, err
	}
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	admin, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, err
	}
	return &Story{Release: release, Client: admin, ctx: ctx, cluster: c, dir: dir, out: out, started: time.Now()}, nil
}

// Err is why the story stopped; nil when it did not.
func (s *Story) Err() error { return s.err }

// Fail stops the story.
func (s *Story) Fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf(format, args...)
	}
}

// Chapter says what comes next.
func (s *Story) Chapter(title string) {
	if s.err == nil {
		fmt.Fprintf(s.out, "\n=== %s [%.0fs]\n", title, time.Since(s.started).Seconds())
	}
}

// Say adds a remark.
func (s *Story) Say(format string, args ...any) {
	if s.err == nil {
		fmt.Fprintf(s.out, "# "+format+"\n", args...)
	}
}

// Do runs kubectl as somebody, shows both the command and what it prints, and
// wants it to succeed.
func (s *Story) Do(user string, args ...string) string {
	output, err := s.kubectl(user, "", args)
	if err != nil {
		s.Fail("kubectl %s: %w", strings.Join(args, " "), err)
	}
	return output
}

// Apply feeds a manifest to kubectl apply as somebody.
func (s *Story) Apply(user, what, manifest string) {
	if s.err == nil {
		fmt.Fprintf(s.out, "# %s\n", what)
	}
	if _, err := s.kubectl(user, manifest, []string{"apply", "-f", "-"}); err != nil {
		s.Fail("apply %s: %w", what, err)
	}
}

// Refused runs kubectl as somebody and wants it to be refused with a message
// that has all of the words.
func (s *Story) Refused(user string, words []string, args ...string) {
	if s.err != nil {
		return
	}
	output, err := s.kubectl(user, "", args)
	if err == nil {
		s.Fail("kubectl %s was not refused", strings.Join(args, " "))
	}
	for _, word := range words {
		if !strings.Contains(output, word) {
			s.Fail("the refusal of kubectl %s does not say %q: %s", strings.Join(args, " "), word, output)
		}
	}
}

// Run runs another program than kubectl, as admin, shows both the command and what
// it prints, and wants it to succeed.
func (s *Story) Run(program string, args ...string) string {
	output, err := s.command(program, "", args)
	if err != nil {
		s.Fail("%s %s: %w", filepath.Base(program), strings.Join(args, " "), err)
	}
	return output
}

func (s *Story) kubectl(user, stdin string, args []string) (string, error) {
	if user != identity.Admin {
		args = append([]string{"--context", user}, args...)
	}
	return s.command(s.cluster.Kubectl(), stdin, args)
}

func (s *Story) command(program, stdin string, args []string) (string, error) {
	if s.err != nil {
		return "", nil
	}
	fmt.Fprintf(s.out, "$ %s %s\n", filepath.Base(program), shown(args))
	cmd := exec.CommandContext(s.ctx, program, args...)
	cmd.Dir = s.dir
	if stdin != "" {
		cmd.Stdin = strings.NewReader(stdin)
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := s.cluster.Run(cmd)
	fmt.Fprint(s.out, indent(out.String()))
	return out.String(), err
}

// shown is a command line as one would type it.
func shown(args []string) string {
	quoted := make([]string, len(args))
	for i, a := range args {
		quoted[i] = a
		if strings.ContainsAny(a, " {}'\"$;") {
			quoted[i] = "'" + a + "'"
		}
	}
	return strings.Join(quoted, " ")
}

func indent(text string) string {
	text = strings.TrimRight(text, "\n")
	if text == "" {
		return ""
	}
	return "  " + strings.ReplaceAll(text, "\n", "\n  ") + "\n"
}

// Await watches the Release until it is as it should be.
func (s *Story) Await(what string, is func(*v1alpha1.Release) bool) *v1alpha1.Release {
	if s.err != nil {
		return &v1alpha1.Release{}
	}
	ctx, cancel := context.WithTimeout(s.ctx, patience)
	defer cancel()
	last := &v1alpha1.Release{}
	for ctx.Err() == nil {
		if done := s.watch(ctx, is, last); done {
			return last
		}
	}
	s.Fail("gave up waiting until %s; the Release is in phase %s and waits for %s (%s)", what, last.Status.Phase, last.Status.WaitingFor, conditionsOf(last))
	return last
}

// watch follows the Release until it is as it should be or the watch ends.
func (s *Story) watch(ctx context.Context, is func(*v1alpha1.Release) bool, last *v1alpha1.Release) bool {
	list := &v1alpha1.ReleaseList{}
	w, err := s.Client.Watch(ctx, list, client.InNamespace(s.Release.Namespace), client.MatchingFields{"metadata.name": s.Release.Name})
	if err != nil {
		select { // the API server may be starting
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
		return false
	}
	defer w.Stop()
	for event := range w.ResultChan() {
		rel, ok := event.Object.(*v1alpha1.Release)
		if !ok || event.Type == watch.Deleted {
			continue
		}
		rel.DeepCopyInto(last)
		if is(rel) {
			return true
		}
	}
	return false
}

func conditionsOf(rel *v1alpha1.Release) string {
	var texts []string
	for _, c := range rel.Status.Conditions {
		texts = append(texts, fmt.Sprintf("%s=%s %s: %s", c.Type, c.Status, c.Reason, c.Message))
	}
	return strings.Join(texts, "; ")
}

// AwaitPhase watches the Release until it is in a phase.
func (s *Story) AwaitPhase(phase v1alpha1.Phase) *v1alpha1.Release {
	return s.Await("phase "+string(phase), func(rel *v1alpha1.Release) bool { return rel.Status.Phase == phase })
}

// AwaitCandidate watches until a candidate of the newest spec can be voted on
// and has passed its checks.
func (s *Story) AwaitCandidate(after int64) *v1alpha1.Release {
	return s.Await("a candidate can be voted on", func(rel *v1alpha1.Release) bool {
		c := rel.Status.Candidate
		return rel.Status.Phase == v1alpha1.PhaseAwaitingApproval && c.Sequence > after && c.ObservedGeneration == rel.Generation
	})
}
