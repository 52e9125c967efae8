// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"net/url"
	"sync"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/types"
)

// Traces tells the release of each content as a trace: its stages, each once it has
// ended, by the times of the status. What a span is called follows from the Release
// and the content, so that operators that take over from one another tell one trace.
// Spans wait in a queue of bounded length and are sent beside the reconciler; those
// that there is no place for are dropped.
type Traces struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer

	mu sync.Mutex
	// began is when the contents of a Release were first seen, which the status does
	// not say any more once they serve.
	began map[types.NamespacedName]map[int64]time.Time
}

// beganLimit is of how many contents of one Release that is known.
const beganLimit = 4

// NewTraces sends to an OTLP collector by HTTP. The environment OTEL_EXPORTER_OTLP_*
// says the rest, such as headers and certificates.
func NewTraces(ctx context.Context, endpoint, cluster, version string) (*Traces, error) {
	if u, err := url.Parse(endpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("the endpoint of traces %q is no URL such as http://collector:4318/v1/traces", endpoint)
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint))
	if err != nil {
		return nil, fmt.Errorf("set up traces: %w", err)
	}
	t := &Traces{began: map[types.NamespacedName]map[int64]time.Time{}}
	t.provider = sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter), sdktrace.WithIDGenerator(named{}), sdktrace.WithSampler(sdktrace.AlwaysSample()),
		sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "countersign"), attribute.String("service.version", version), attribute.String("k8s.cluster.uid", cluster),
		)),
	)
	t.tracer = t.provider.Tracer("github.com/countersign/countersign")
	return t, nil
}

// Close sends what waits, until ctx ends.
func (t *Traces) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

// tell makes a span of each stage that has ended.
func (t *Traces) tell(rel *v1alpha1.Release, before *v1alpha1.ReleaseStatus, stages []stage) {
	if t == nil {
		return
	}
	t.remember(rel)
	for _, s := range stages {
		if s.sequence == 0 {
			continue
		}
		life := lifeOf(rel, s.sequence)
		attributes := []attribute.KeyValue{
			attribute.String("k8s.namespace.name", rel.Namespace), attribute.String("countersign.release", rel.Name),
			attribute.Int64("countersign.sequence", s.sequence), attribute.String("countersign.digest", digestOf(s.sequence, before, &rel.Status)),
		}
		span := t.begin(life, string(s.phase), s.from, append(attributes, attribute.String("countersign.outcome", s.outcome))...)
		annotate(span, s, rel, before)
		conclude(span, s)
		if sw := rel.Status.Switch; sw != nil && s.phase == v1alpha1.PhaseSwitching && s.outcome == passed && sw.PatchedAt != nil {
			under := life
			under.parent = life.span(string(s.phase), s.from)
			t.begin(under, "patch", s.from, attributes...).End(trace.WithTimestamp(sw.PatchedAt.Time))
			t.begin(under, "settle", sw.PatchedAt.Time, attributes...).End(trace.WithTimestamp(s.to))
		}
		if s.last {
			from, known := t.recall(rel, s)
			root := t.begin(ids{trace: life.trace}, "release", from, append(attributes, attribute.Bool("countersign.begin_known", known), attribute.String("countersign.outcome", s.outcome))...)
			conclude(root, s)
		}
	}
}

func conclude(span trace.Span, s stage) {
	switch s.outcome {
	case passed, grown, superseded, string(v1alpha1.SwitchPromote), string(v1alpha1.SwitchBreakGlass):
	default:
		span.SetStatus(codes.Error, s.outcome)
	}
	span.End(trace.WithTimestamp(s.to))
}

// annotate adds what happened in a stage: votes while it waited, results of checks
// while it was tested or observed. Who voted stays in the cluster.
func annotate(span trace.Span, s stage, rel *v1alpha1.Release, before *v1alpha1.ReleaseStatus) {
	if s.phase == v1alpha1.PhaseAwaitingApproval {
		for _, v := range rel.Status.Votes {
			if v.At != nil {
				span.AddEvent("vote", trace.WithTimestamp(v.At.Time), trace.WithAttributes(
					attribute.String("slot", v.Slot), attribute.String("decision", v.Decision), attribute.Bool("counted", v.Counted), attribute.String("rule", v.Rule)))
			}
		}
		return
	}
	of := map[v1alpha1.Phase]v1alpha1.CheckStage{v1alpha1.PhaseTesting: v1alpha1.StageBeforeSwitch, v1alpha1.PhaseObserving: v1alpha1.StageAfterSwitch}[s.phase]
	digest := digestOf(s.sequence, before, &rel.Status)
	for _, c := range rel.Status.Checks {
		if c.Stage == of && c.Digest == digest {
			span.AddEvent("check", trace.WithTimestamp(c.At.Time), trace.WithAttributes(
				attribute.String("name", c.Name), attribute.String("state", string(c.State)), attribute.String("message", c.Message)))
		}
	}
}

// digestOf is the digest of a content; empty if it has none.
func digestOf(sequence int64, statuses ...*v1alpha1.ReleaseStatus) string {
	for _, s := range statuses {
		switch {
		case s.Candidate != nil && s.Candidate.Sequence == sequence && s.Candidate.Digest != "":
			return s.Candidate.Digest
		case s.Active != nil && s.Active.Sequence == sequence:
			return s.Active.Digest
		}
	}
	return ""
}

// remember when a candidate was first seen.
func (t *Traces) remember(rel *v1alpha1.Release) {
	c := rel.Status.Candidate
	if c == nil || c.Halted != nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	name := types.NamespacedName{Namespace: rel.Namespace, Name: rel.Name}
	if t.began[name] == nil {
		t.began[name] = map[int64]time.Time{}
	}
	maps.DeleteFunc(t.began[name], func(sequence int64, _ time.Time) bool { return sequence <= c.Sequence-beganLimit })
	t.began[name][c.Sequence] = c.Since.Time
}

// recall when a content was first seen or, where that is not known, when its last
// stage began.
func (t *Traces) recall(rel *v1alpha1.Release, s stage) (from time.Time, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	name := types.NamespacedName{Namespace: rel.Namespace, Name: rel.Name}
	from, known = t.began[name][s.sequence]
	if !known {
		return s.from, false
	}
	delete(t.began[name], s.sequence)
	return from, true
}

func (t *Traces) forget(name types.NamespacedName) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.began, name)
}

// ids are what a span and what is above it are called.
type ids struct {
	trace  trace.TraceID
	parent trace.SpanID
}

// lifeOf is the trace of a content, with its root as the parent.
func lifeOf(rel *v1alpha1.Release, sequence int64) ids {
	sum := sha256.Sum256(fmt.Appendf(nil, "countersign/release/%s/%d", rel.UID, sequence))
	life := ids{trace: trace.TraceID(sum[:16])}
	life.parent = life.span("release", time.Time{})
	return life
}

// span of a name that began at a time. The root has no time: those below it are told
// before it is known.
func (i ids) span(name string, from time.Time) trace.SpanID {
	nanos := int64(0)
	if !from.IsZero() {
		nanos = from.UnixNano()
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%s/%d", i.trace, name, nanos))
	return trace.SpanID(sum[:8])
}

func (t *Traces) begin(i ids, name string, from time.Time, attributes ...attribute.KeyValue) trace.Span {
	ctx, own := context.Background(), i.span(name, from)
	if i.parent.IsValid() {
		ctx = trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: i.trace, SpanID: i.parent, TraceFlags: trace.FlagsSampled, Remote: true,
		}))
	} else {
		own = i.span(name, time.Time{})
	}
	ctx = context.WithValue(ctx, idsKey{}, ids{trace: i.trace, parent: own})
	_, span := t.tracer.Start(ctx, name, trace.WithTimestamp(from), trace.WithAttributes(attributes...))
	return span
}

type idsKey struct{}

// named calls a span as its context says.
type named struct{}

// NewIDs implements sdktrace.IDGenerator.
func (named) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	i, _ := ctx.Value(idsKey{}).(ids)
	return i.trace, i.parent
}

// NewSpanID implements sdktrace.IDGenerator.
func (named) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	i, _ := ctx.Value(idsKey{}).(ids)
	return i.parent
}
