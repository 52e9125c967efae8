// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"sync"
	"time"

	"github.com/countersign/countersign/controllers/receipt"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// tookUp is how long the webhooks get to take up a key before the former private
// one is deleted. What they signed with it stays trusted.
const tookUp = time.Minute

// tendEvery is how often the operator looks after the keys: it is done that soon
// what an annotation asks for.
const tendEvery = 15 * time.Second

// attempts bounds how often a lost race is run again.
const attempts = 10

// Ring makes keys and keeps the operator's verifier at those that it trusts.
// Once the operator leads, it believes its own memory alone: a ConfigMap that
// somebody else has written changes nothing but freezes the gate.
type Ring struct {
	// Client reads from the API server and writes.
	Client client.Client
	// Namespace of the keys.
	Namespace string
	// Verifier is kept.
	Verifier *receipt.Verifier
	// Now is the clock.
	Now func() time.Time
	// Overlap is how long a former key is trusted after a rotation.
	Overlap time.Duration
	// Age at which the current key is replaced. Zero means never.
	Age time.Duration
	// Changed is called when other keys are trusted than before, so that the votes
	// are judged again. May be nil.
	Changed func()
	// Recorder tells events on the ConfigMap. May be nil.
	Recorder events.EventRecorder

	mu       sync.Mutex
	set      Set
	receipts receipt.Keys
	fault    error
	// cleared is the id of the key beside which the other slot is known to be empty.
	cleared string
}

// Load reads the keys, and makes the first when there are none. Replicas that
// start at once agree on one.
func (r *Ring) Load(ctx context.Context) error {
	for range attempts {
		set, configMap, err := read(ctx, r.Client, r.Namespace)
		switch {
		case err == nil:
			r.use(set)
			return nil
		case configMap != nil:
			return fmt.Errorf("%w; to make a key anew, after which every vote has to be cast again: kubectl delete configmap %s -n %s",
				err, ConfigMapName, r.Namespace)
		case !apierrors.IsNotFound(err):
			return err
		}
		if err := r.found(ctx); err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	return fmt.Errorf("ConfigMap %s/%s keeps disappearing", r.Namespace, ConfigMapName)
}

// found makes the first key trusted. One that is in its Secret still is used:
// nobody else could put it there.
func (r *Ring) found(ctx context.Context) error {
	private, err := readPrivate(ctx, r.Client, r.Namespace, slots[0])
	if errors.Is(err, errNoKey) {
		private, err = createPrivate(ctx, r.Client, r.Namespace, slots[0])
	}
	if err != nil {
		return err
	}
	return r.create(ctx, Set{Keys: []Key{keyOf(publicOf(private), slots[0], r.Now())}})
}

func (r *Ring) create(ctx context.Context, set Set) error {
	text, err := set.format()
	if err != nil {
		return err
	}
	err = r.Client.Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: r.Namespace, Name: ConfigMapName},
		Data:       map[string]string{entry: text},
	})
	if err != nil {
		return fmt.Errorf("create ConfigMap %s/%s: %w", r.Namespace, ConfigMapName, err)
	}
	return nil
}

// use trusts the keys of a set as they are at this time.
func (r *Ring) use(set Set) {
	r.mu.Lock()
	receipts := set.Receipts(r.Now())
	changed := !reflect.DeepEqual(receipts, r.receipts)
	r.set, r.receipts = set, receipts
	r.Verifier.Use(receipts)
	r.mu.Unlock()
	if changed && r.Changed != nil {
		r.Changed()
	}
}

// Start reads what the former leader left, and tends the keys until ctx is done.
// Without keys no receipt proves anything, and the operator goes on: a rollback
// needs none.
func (r *Ring) Start(ctx context.Context) error {
	led := false
	every(ctx, func() time.Duration {
		var err error
		if led {
			err = r.tend(ctx)
		} else if err = r.Load(ctx); err == nil {
			led = true
		}
		if ctx.Err() != nil {
			return tendEvery
		}
		if err != nil {
			log.FromContext(ctx).Error(err, "Could not tend the keys of receipts")
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.fault = err
		return pause(err, tendEvery)
	})
	return nil
}

// Check fails while the keys are not what the operator made them.
func (r *Ring) Check(*http.Request) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.set.Keys) == 0 {
		return errors.New("the keys of receipts are not loaded yet")
	}
	return r.fault
}

// Try looks at the ConfigMap now.
func (r *Ring) Try(ctx context.Context) error {
	r.mu.Lock()
	set := r.set
	r.mu.Unlock()
	if len(set.Keys) == 0 {
		return errors.New("the keys of receipts are not loaded yet")
	}
	_, err := r.compare(ctx, set)
	return err
}
