// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// monitoring is the Service of a Prometheus at an address.
func monitoring(ip string, change func(*corev1.ServiceSpec)) client.Object {
	svc := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "monitoring", Name: "prometheus"}, Spec: corev1.ServiceSpec{ClusterIP: ip}}
	if change != nil {
		change(&svc.Spec)
	}
	return svc
}

// lessThanOne is a check of the Prometheus at a port.
func lessThanOne(port int32) v1alpha1.PrometheusCheck {
	return v1alpha1.PrometheusCheck{
		Address: "http://prometheus.monitoring.svc:" + strconv.Itoa(int(port)), Query: "errors",
		Success: v1alpha1.MetricSuccess{Operator: v1alpha1.LessThan, Value: "1"},
	}
}

// measured asks a Prometheus that answers so.
func measured(t *testing.T, timeout int32, handler http.HandlerFunc, change func(*v1alpha1.PrometheusCheck), pods ...string) error {
	t.Helper()
	to := target(t, handler)
	c := lessThanOne(to.Port)
	if change != nil {
		change(&c)
	}
	run := Run{Check: v1alpha1.Check{Prometheus: &c, TimeoutSeconds: timeout}, Targets: []Target{{Pod: "shop-0", IP: "192.0.2.1"}}}
	if len(pods) > 0 {
		run.Targets = nil
	}
	for _, p := range pods {
		run.Targets = append(run.Targets, Target{Pod: p, IP: "192.0.2.1"})
	}
	return putRun(t, run, run.Targets[0], monitoring(to.IP, nil))
}

func vector(values ...string) string {
	var series []string
	for _, v := range values {
		series = append(series, `{"metric":{"pod":"hidden"},"value":[1700000000.1,"`+v+`"]}`)
	}
	return `{"status":"success","data":{"resultType":"vector","result":[` + strings.Join(series, ",") + `]}}`
}

func errs(code int, kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = w.Write([]byte(`{"status":"error","errorType":"` + kind + `","error":"hidden"}`))
	}
}

func TestPrometheus(t *testing.T) {
	for name, tc := range map[string]struct {
		handler http.HandlerFunc
		timeout int32
		want    string
		// failed is whether it is a failure of the Pods.
		failed bool
	}{
		"as it should be":     {handler: says(vector("0.5"))},
		"a scalar":            {handler: says(`{"status":"success","data":{"resultType":"scalar","result":[1700000000,"0"]}}`)},
		"infos":               {handler: says(strings.Replace(vector("0"), `"data"`, `"infos":["x"],"data"`, 1))},
		"too much":            {handler: says(vector("1.25")), want: "the result is 1.25, and success is LessThan 1", failed: true},
		"no data":             {handler: says(vector()), want: "the query has no result"},
		"many series":         {handler: says(vector("0", "0")), want: "more than one series"},
		"NaN":                 {handler: says(vector("NaN")), want: "no finite number"},
		"infinite":            {handler: says(vector("-Inf")), want: "no finite number"},
		"text":                {handler: says(vector("hidden")), want: "no finite number"},
		"a histogram":         {handler: says(`{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"histogram":[1,{}]}]}}`), want: "the result is no number"},
		"a number as number":  {handler: says(`{"status":"success","data":{"resultType":"scalar","result":[1,0]}}`), want: "the result is no number"},
		"a matrix":            {handler: says(`{"status":"success","data":{"resultType":"matrix","result":[]}}`), want: "neither one series nor a scalar"},
		"no series at all":    {handler: says(`{"status":"success","data":{"resultType":"vector","result":{}}}`), want: "not in the format of a Prometheus"},
		"no status":           {handler: says(`{"data":{"resultType":"scalar","result":[1,"0"]}}`), want: "address answered 200 OK"},
		"warnings":            {handler: says(strings.Replace(vector("0"), `"data"`, `"warnings":["hidden"],"data"`, 1)), want: "answered with warnings"},
		"a query of nothing":  {handler: errs(400, "bad_data"), want: "cannot read the query (bad_data)"},
		"a query too far":     {handler: errs(503, "timeout"), want: "could not answer the query (timeout)"},
		"an unknown error":    {handler: errs(422, "hidden"), want: "address answered 422 Unprocessable Entity"},
		"an error as success": {handler: errs(200, "execution"), want: "could not answer the query (execution)"},
		"success as an error": {handler: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(500)
			_, _ = w.Write([]byte(vector("0")))
		}, want: "address answered 500 Internal Server Error"},
		"a redirect":      {handler: func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, want: "answered 302 Found"},
		"another server":  {handler: says("<html>hidden</html>"), want: "not that of a Prometheus"},
		"what is no HTTP": {handler: raw("hidden\r\n\r\n"), want: "the Prometheus gave no answer of this protocol"},
		"too long":        {handler: says(strings.Replace(vector("0"), "{", "{"+strings.Repeat(" ", bodyLimit), 1)), want: "more than 64 KiB"},
		"one that breaks off": {handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte(vector("0")))
		}, want: "broke off its answer"},
		"one that hangs": {handler: hangs, timeout: 1, want: "the Prometheus did not answer in time"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := measured(t, cmp.Or(tc.timeout, patience), tc.handler, nil)
			answers(t, err, tc.want)
			if err != nil && isUnclear(err) == tc.failed {
				t.Errorf("%v: unclear is %t", err, isUnclear(err))
			}
		})
	}
}

func TestOperators(t *testing.T) {
	for operator, want := range map[v1alpha1.MetricOperator][3]bool{ // of 0.9, 1 and 1.1, by 1
		v1alpha1.LessThan: {true, false, false}, v1alpha1.AtMost: {true, true, false}, v1alpha1.Equal: {false, true, false},
		v1alpha1.AtLeast: {false, true, true}, v1alpha1.MoreThan: {false, false, true}, "": {},
	} {
		for i, value := range []float64{0.9, 1, 1.1} {
			m := measure{success: v1alpha1.MetricSuccess{Operator: operator}, threshold: 1}
			if m.holds(value) != want[i] {
				t.Errorf("%g %s 1 is %t", value, operator, m.holds(value))
			}
		}
	}
}

func TestQuery(t *testing.T) {
	asked := func(query string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet || r.URL.Path != "/prefix/api/v1/query" || r.FormValue("query") != query || r.FormValue("timeout") != "30s" {
				w.WriteHeader(http.StatusTeapot)
				return
			}
			_, _ = w.Write([]byte(vector("0")))
		}
	}
	change := func(c *v1alpha1.PrometheusCheck) {
		c.Address += "/prefix/"
		c.Query = `sum(errors{namespace="${namespace}",pod=~"${pods}"})`
	}
	for name, tc := range map[string]struct {
		pods []string
		want string
	}{
		"Pods of one ReplicaSet": {pods: []string{"shop-green-56f7c9ff6-96cvl", "shop-green-56f7c9ff6-abcde"}, want: "shop-green-56f7c9ff6-[a-z0-9]{5}"},
		"of two":                 {pods: []string{"b-1-96cvl", "a-1-96cvl"}, want: "a-1-[a-z0-9]{5}|b-1-[a-z0-9]{5}"},
		"a name with a dot":      {pods: []string{"shop.v1-1-96cvl"}, want: "shop[.]v1-1-[a-z0-9]{5}"},
		"another kind of name":   {pods: []string{"shop.0"}, want: "shop[.]0"},
		"a short name":           {pods: []string{"shop"}, want: "shop"},
	} {
		t.Run(name, func(t *testing.T) {
			want := `sum(errors{namespace="prod",pod=~"` + tc.want + `"})`
			answers(t, measured(t, 30, asked(want), change, tc.pods...), "")
		})
	}
}

// Only what a Service is at is connected to, wherever its name leads.
func TestAddress(t *testing.T) {
	to := target(t, says(vector("0")))
	there := monitoring(to.IP, nil)
	for name, tc := range map[string]struct {
		address string
		service client.Object
		want    string
	}{
		"a Service":                   {address: "http://prometheus.monitoring.svc:", service: there},
		"with a domain":               {address: "http://prometheus.monitoring.svc.cluster.local:", service: there},
		"of another namespace":        {address: "http://prometheus.prod.svc:", service: there, want: "Service prod/prometheus, which address names, does not exist"},
		"an external name":            {address: "http://prometheus.monitoring.svc:", service: monitoring(to.IP, func(s *corev1.ServiceSpec) { s.Type = corev1.ServiceTypeExternalName }), want: "has no cluster IP"},
		"a headless one":              {address: "http://prometheus.monitoring.svc:", service: monitoring("None", nil), want: "has no cluster IP"},
		"an address":                  {address: "http://127.0.0.1:", service: there, want: "address names no Service"},
		"a host":                      {address: "http://localhost:", service: there, want: "address names no Service"},
		"a name that is no Service's": {address: "http://prometheus.monitoring.example:", service: there, want: "address names no Service"},
		"another scheme":              {address: "ftp://prometheus.monitoring.svc:", service: there, want: "address is no URL"},
		"no URL":                      {address: "http://%zz:", service: there, want: "address is no URL"},
	} {
		t.Run(name, func(t *testing.T) {
			c := lessThanOne(0)
			c.Address = tc.address + strconv.Itoa(int(to.Port))
			run := Run{Check: v1alpha1.Check{Prometheus: &c, TimeoutSeconds: patience}, Targets: []Target{{Pod: "shop-0"}}}
			err := putRun(t, run, run.Targets[0], tc.service)
			answers(t, err, tc.want)
			if err != nil && !isUnclear(err) {
				t.Errorf("%v is a failure of the Pods", err)
			}
		})
	}
}

func TestPrometheusWithTLS(t *testing.T) {
	to, certificate := secure(t, says(vector("0")))
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: "ca"}, Data: map[string][]byte{"ca.crt": certificate}}
	c := lessThanOne(0)
	c.Address = "https://prometheus.monitoring.svc:" + strconv.Itoa(int(to.Port))
	for _, name := range []string{"example.com", "prometheus.internal"} {
		c.TLS = &v1alpha1.CheckTLS{CA: ca(v1alpha1.Secret, ""), ServerName: name}
		run := Run{Check: v1alpha1.Check{Prometheus: &c, TimeoutSeconds: patience}, Targets: []Target{{Pod: "shop-0"}}}
		err := putRun(t, run, run.Targets[0], monitoring(to.IP, nil), secret)
		answers(t, err, map[string]string{"prometheus.internal": "the Prometheus showed a certificate"}[name])
	}
	c.Success.Value = "x"
	run := Run{Check: v1alpha1.Check{Prometheus: &c}, Targets: []Target{{Pod: "shop-0"}}}
	answers(t, putRun(t, run, run.Targets[0]), "success.value is no number")
}
