// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package digest_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// walker sets every place in a value that is empty at first, one at a time, and
// looks at what that does to a sum of it.
type walker struct {
	t        *testing.T
	sum      func() string
	excluded map[string]bool   // paths, true once there is such a place
	seen     map[string]string // path by sum
}

// covers checks that sum depends on every place in in, but for those at or below
// the excluded paths, on none of which it depends; and that an empty list or map
// is the same as none.
func covers[T any](t *testing.T, in T, sum func(T) (string, error), excluded ...string) {
	t.Helper()
	w := walker{t: t, seen: map[string]string{}, excluded: map[string]bool{}}
	for _, path := range excluded {
		w.excluded[path] = false
	}
	w.sum = func() string { return must(t)(sum(in)) }
	w.seen[w.sum()] = "nothing"
	w.walk(reflect.ValueOf(&in).Elem(), "")
	for path, exists := range w.excluded {
		if !exists {
			t.Errorf("%s is on the list of what is not covered, but there is no such place", path)
		}
	}
	if len(w.seen) < 10 {
		t.Errorf("only %d places", len(w.seen))
	}
}

func (w *walker) exempt(path string) bool {
	for e := range w.excluded {
		if rest, below := strings.CutPrefix(path, e); below && (rest == "" || rest[0] == '.') {
			w.excluded[e] = true
			return true
		}
	}
	return false
}

// set puts a value into a place and tells whether the sum is as it should be.
func (w *walker) set(place reflect.Value, path string, value reflect.Value) {
	before := w.sum()
	place.Set(value)
	after := w.sum()
	other, known := w.seen[after]
	switch exempt := w.exempt(path); {
	case exempt && after != before:
		w.t.Errorf("%s is on the list of what is not covered, but it is", path)
	case !exempt && after == before:
		w.t.Errorf("%s is not covered", path)
	case !exempt && known:
		w.t.Errorf("%s and %s come to the same", path, other)
	}
	w.seen[after] = path
}

func (w *walker) walk(v reflect.Value, path string) {
	was := reflect.New(v.Type()).Elem()
	was.Set(v)
	defer v.Set(was)
	switch values := samples(v); {
	case len(values) > 0:
		for _, value := range values {
			w.set(v, path, reflect.ValueOf(value).Convert(v.Type()))
		}
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			w.walk(v.Field(i), path+"."+v.Type().Field(i).Name)
		}
	case v.Kind() == reflect.Pointer:
		zero := reflect.New(v.Type().Elem())
		if text, err := json.Marshal(zero.Interface()); err == nil && string(text) == "null" {
			v.Set(zero) // the API knows no such value: it is none
		} else {
			w.set(v, path, zero)
		}
		w.walk(v.Elem(), path)
	case v.Kind() == reflect.Slice:
		w.empty(v, path, reflect.MakeSlice(v.Type(), 0, 0))
		w.set(v, path, reflect.MakeSlice(v.Type(), 1, 1))
		w.walk(v.Index(0), path)
		w.set(v, path, reflect.AppendSlice(v, v))
	case v.Kind() == reflect.Map:
		w.empty(v, path, reflect.MakeMap(v.Type()))
		for _, key := range []string{"k", "l"} {
			for _, value := range samples(reflect.New(v.Type().Elem()).Elem()) {
				to := reflect.MakeMap(v.Type())
				to.SetMapIndex(reflect.ValueOf(key).Convert(v.Type().Key()), reflect.ValueOf(value).Convert(v.Type().Elem()))
				w.set(v, path, to)
			}
		}
	default:
		w.t.Fatalf("%s: no samples of %s", path, v.Type())
	}
}

// empty checks that an empty list or map is the same as none.
func (w *walker) empty(place reflect.Value, path string, value reflect.Value) {
	none := w.sum()
	place.Set(value)
	if w.sum() != none {
		w.t.Errorf("%s: empty is not the same as none", path)
	}
}

// samples are values of a type that is one value to the API, whatever its fields;
// none of other types.
func samples(v reflect.Value) []any {
	switch v.Interface().(type) {
	case time.Time:
		return []any{time.Unix(1e9, 0), time.Unix(1e9+1, 0)}
	case metav1.Time:
		return []any{metav1.Unix(1e9, 0), metav1.Unix(1e9+1, 0)}
	case resource.Quantity:
		return []any{resource.MustParse("100m"), resource.MustParse("101m")}
	case intstr.IntOrString:
		return []any{intstr.FromInt32(8080), intstr.FromString("8080")}
	case metav1.FieldsV1:
		return []any{metav1.FieldsV1{Raw: []byte("{\"f\":1}")}, metav1.FieldsV1{Raw: []byte("{\"f\":2}")}}
	case runtime.RawExtension:
		return []any{runtime.RawExtension{Raw: []byte("{\"f\":1}")}, runtime.RawExtension{Raw: []byte("{\"f\":2}")}}
	case metav1.Duration:
		return []any{metav1.Duration{Duration: time.Hour}, metav1.Duration{Duration: time.Hour + 1}}
	}
	switch v.Kind() {
	case reflect.String:
		return []any{"text", "texts"}
	case reflect.Bool:
		return []any{!v.Bool()}
	case reflect.Int, reflect.Int32, reflect.Int64:
		return []any{v.Int() + 7, v.Int() + 8}
	}
	return nil
}
