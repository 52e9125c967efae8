// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"maps"

	"github.com/countersign/countersign/api/v1alpha1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// lagging is an informer cache: for each kind the objects as they were at some
// version. The kinds move on one by one, and never back.
type lagging struct {
	server  *apiServer
	shelves [kindCount]shelf
	// seen is up to where the server's history was taken over, for each kind.
	seen [kindCount]int
	// changed is told of each change as the operator's watches would be.
	changed func(record)
}

// newLagging lists everything as it is now, as informers do at their start.
func newLagging(server *apiServer) *lagging {
	c := &lagging{server: server}
	for k := range c.shelves {
		c.shelves[k] = maps.Clone(server.shelves[k])
		c.seen[k] = len(server.history)
	}
	return c
}

// advance takes over at most n changes of a kind; all when n is negative. It
// tells whether there was any.
func (c *lagging) advance(k kind, n int) bool {
	any := false
	for c.seen[k] < len(c.server.history) && n != 0 {
		r := c.server.history[c.seen[k]]
		c.seen[k]++
		if r.key.kind != k {
			continue
		}
		n--
		any = true
		if r.after == nil {
			delete(c.shelves[k], r.key.NamespacedName)
		} else {
			c.shelves[k][r.key.NamespacedName] = r.after
		}
		if c.changed != nil {
			c.changed(r)
		}
	}
	return any
}

// versions are up to which version each kind is known.
func (c *lagging) versions() (out [kindCount]int64) {
	for k, n := range c.seen {
		if n > 0 {
			out[k] = c.server.history[n-1].version
		}
	}
	return out
}

func (c *lagging) advanceAll() {
	for k := range kindCount {
		c.advance(k, -1)
	}
}

// get is the cached object, which must not be changed; nil when it is not
// cached.
func (c *lagging) get(k key) client.Object {
	o := c.shelves[k.kind][k.NamespacedName]
	if o == nil || k.kind.filtered() && !labelled(o) {
		return nil
	}
	return o
}

func (c *lagging) list(k kind, keep func(client.Object) bool) []client.Object {
	return c.shelves[k].sorted(func(o client.Object) bool {
		return (!k.filtered() || labelled(o)) && (keep == nil || keep(o))
	})
}

func labelled(o client.Object) bool {
	_, has := o.GetLabels()[v1alpha1.ReleaseLabel]
	return has
}
