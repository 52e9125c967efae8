// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// interceptor stands between an operator and the API server. It may return an
// error, let other things happen first, or panic with crash. Reads of single
// Deployments from the cache are not intercepted: their order is that of a map.
type interceptor interface {
	cached(what string)
	read(what string) error
	beforeWrite(what string) error
	afterWrite(what string) error
}

// modelClient is the client of one operator instance: it reads from the
// instance's cache, or live when cache is nil, and writes live.
type modelClient struct {
	actor  string
	server *apiServer
	cache  *lagging
	faults interceptor
}

var _ client.Client = &modelClient{}

func notModelled(what string) error { return fmt.Errorf("%s is not modelled", what) }

// Get implements client.Reader.
func (c *modelClient) Get(_ context.Context, name client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	k := key{kindOf(into), name}
	var o client.Object
	if c.cache != nil {
		if k.kind == kindService {
			c.faults.cached("get " + k.String())
		}
		o = c.cache.get(k)
	} else {
		if err := c.faults.read("get " + k.String()); err != nil {
			return err
		}
		o = c.server.get(k)
	}
	if o == nil {
		return notFound(k)
	}
	copyInto(o, into)
	return nil
}

// List implements client.Reader.
func (c *modelClient) List(_ context.Context, into client.ObjectList, opts ...client.ListOption) error {
	var o client.ListOptions
	o.ApplyOptions(opts)
	if o.FieldSelector != nil {
		return notModelled("a list with a field selector")
	}
	keep := func(obj client.Object) bool {
		return (o.Namespace == "" || obj.GetNamespace() == o.Namespace) &&
			(o.LabelSelector == nil || o.LabelSelector.Matches(labels.Set(obj.GetLabels())))
	}
	k := listKind(into)
	if c.cache != nil {
		c.faults.cached("list " + k.String())
		fill(into, c.cache.list(k, keep))
		return nil
	}
	if err := c.faults.read("list " + k.String()); err != nil {
		return err
	}
	fill(into, c.server.shelves[k].sorted(keep))
	return nil
}

// Create implements client.Writer.
func (c *modelClient) Create(_ context.Context, o client.Object, _ ...client.CreateOption) error {
	return c.write("create "+keyOf(o).String(), o, func() (client.Object, error) { return c.server.create(c.actor, o) })
}

// Update implements client.Writer.
func (c *modelClient) Update(_ context.Context, o client.Object, _ ...client.UpdateOption) error {
	return c.write("update "+keyOf(o).String(), o, func() (client.Object, error) { return c.server.update(c.actor, o) })
}

// Patch implements client.Writer.
func (c *modelClient) Patch(_ context.Context, o client.Object, p client.Patch, _ ...client.PatchOption) error {
	return c.patch(o, p, false)
}

func (c *modelClient) patch(o client.Object, p client.Patch, status bool) error {
	if p.Type() != types.MergePatchType {
		return notModelled("a patch of type " + string(p.Type()))
	}
	data, err := p.Data(o)
	if err != nil {
		return err
	}
	what := "patch " + keyOf(o).String()
	if status {
		what += " status"
	}
	return c.write(what, o, func() (client.Object, error) {
		return c.server.patch(c.actor, keyOf(o), data, status)
	})
}

// Delete implements client.Writer.
func (c *modelClient) Delete(_ context.Context, o client.Object, opts ...client.DeleteOption) error {
	var d client.DeleteOptions
	d.ApplyOptions(opts)
	return c.write("delete "+keyOf(o).String(), nil, func() (client.Object, error) {
		return nil, c.server.remove(c.actor, keyOf(o), d.Preconditions)
	})
}

// write carries a write out between the two hooks.
func (c *modelClient) write(what string, into client.Object, do func() (client.Object, error)) error {
	if err := c.faults.beforeWrite(what); err != nil {
		return err
	}
	out, err := do()
	if err != nil {
		return err
	}
	if err := c.faults.afterWrite(what); err != nil {
		return err
	}
	if into != nil {
		copyInto(out, into)
	}
	return nil
}

// Status implements client.StatusClient.
func (c *modelClient) Status() client.SubResourceWriter { return &statusWriter{c} }

// statusWriter writes the status only.
type statusWriter struct{ c *modelClient }

// Create implements client.SubResourceWriter.
func (w *statusWriter) Create(context.Context, client.Object, client.Object, ...client.SubResourceCreateOption) error {
	return notModelled("create of a status")
}

// Update implements client.SubResourceWriter.
func (w *statusWriter) Update(_ context.Context, o client.Object, _ ...client.SubResourceUpdateOption) error {
	return w.c.write("update "+keyOf(o).String()+" status", o, func() (client.Object, error) {
		return w.c.server.updateStatus(w.c.actor, o)
	})
}

// Patch implements client.SubResourceWriter.
func (w *statusWriter) Patch(_ context.Context, o client.Object, p client.Patch, _ ...client.SubResourcePatchOption) error {
	return w.c.patch(o, p, true)
}

// Apply implements client.SubResourceWriter.
func (w *statusWriter) Apply(context.Context, runtime.ApplyConfiguration, ...client.SubResourceApplyOption) error {
	return notModelled("apply of a status")
}

// Apply implements client.Writer.
func (c *modelClient) Apply(context.Context, runtime.ApplyConfiguration, ...client.ApplyOption) error {
	return notModelled("apply")
}

// DeleteAllOf implements client.Writer.
func (c *modelClient) DeleteAllOf(context.Context, client.Object, ...client.DeleteAllOfOption) error {
	return notModelled("delete of a collection")
}

// SubResource implements client.Client.
func (c *modelClient) SubResource(string) client.SubResourceClient { return nil }

// Scheme implements client.Client.
func (c *modelClient) Scheme() *runtime.Scheme { return nil }

// RESTMapper implements client.Client.
func (c *modelClient) RESTMapper() meta.RESTMapper { return nil }

// GroupVersionKindFor implements client.Client.
func (c *modelClient) GroupVersionKindFor(runtime.Object) (schema.GroupVersionKind, error) {
	return schema.GroupVersionKind{}, notModelled("GroupVersionKindFor")
}

// IsObjectNamespaced implements client.Client.
func (c *modelClient) IsObjectNamespaced(runtime.Object) (bool, error) {
	return false, notModelled("IsObjectNamespaced")
}

// Faults that an operator meets. crash ends the instance.
type crash struct{ where string }

var (
	errOutage   = apierrors.NewServiceUnavailable("the API server does not answer")
	errInjected = errors.New("injected")
	errServer   = apierrors.NewInternalError(errInjected)
	errTimeout  = apierrors.NewTimeoutError("injected: the write was applied", 1)
)
