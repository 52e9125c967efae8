// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Checks test the candidate.
type Checks struct {
	// beforeSwitch checks run against each of the candidate's own Pods once
	// they are ready. Each has to succeed before traffic may move.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	BeforeSwitch []Check `json:"beforeSwitch,omitempty"`
	// afterSwitch checks run against the Pods of the active colour while the
	// release is observed. One that fails switches back.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(c, !has(c.job))",message="a job runs once and cannot watch what serves: write it under beforeSwitch, or ask with http, tcp, grpc or prometheus"
	AfterSwitch []Check `json:"afterSwitch,omitempty"`
}

// Check is one test. It is run every periodSeconds against every Pod of the
// colour; a run succeeds when every Pod answers as expected. A job runs once.
// +kubebuilder:validation:XValidation:rule="!has(self.timeoutSeconds) || !has(self.periodSeconds) || self.timeoutSeconds <= self.periodSeconds",message="timeoutSeconds must not be longer than periodSeconds"
// +kubebuilder:validation:XValidation:rule="[has(self.http), has(self.tcp), has(self.grpc), has(self.prometheus), has(self.job)].exists_one(x, x)",message="a check asks in one way: write exactly one of http, tcp, grpc, prometheus and job"
type Check struct {
	// name tells the check from the others.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`
	// http sends each Pod an HTTP request and looks at the answer.
	// +optional
	HTTP *HTTPCheck `json:"http,omitempty"`
	// tcp opens a connection to each Pod and closes it.
	// +optional
	TCP *TCPCheck `json:"tcp,omitempty"`
	// grpc asks each Pod by the gRPC health protocol (grpc.health.v1).
	// +optional
	GRPC *GRPCCheck `json:"grpc,omitempty"`
	// prometheus asks a Prometheus in the cluster about the colour, once in
	// each run. Whatever is not one number is inconclusive.
	// +optional
	Prometheus *PrometheusCheck `json:"prometheus,omitempty"`
	// job runs Pods of the author's own, once, that test the candidate. Only
	// beforeSwitch checks can. periodSeconds, timeoutSeconds, successThreshold and
	// failureThreshold are not for it.
	// +optional
	Job *JobCheck `json:"job,omitempty"`
	// initialDelaySeconds is the time from when the check could first run to
	// its first run. Defaults to 0.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=3600
	InitialDelaySeconds int32 `json:"initialDelaySeconds,omitempty"`
	// periodSeconds is the time from one run to the next. Defaults to 5.
	// +optional
	// +kubebuilder:default=5
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3600
	PeriodSeconds int32 `json:"periodSeconds,omitempty"`
	// timeoutSeconds is how long a Pod may take to answer. Defaults to 1.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=300
	TimeoutSeconds int32 `json:"timeoutSeconds,omitempty"`
	// successThreshold is how many runs in a row have to succeed. Only
	// beforeSwitch checks use it. Defaults to 1.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	SuccessThreshold int32 `json:"successThreshold,omitempty"`
	// failureThreshold is how many runs have to fail, without one between them
	// that succeeds, before the check has failed. Defaults to 3.
	// +optional
	// +kubebuilder:default=3
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	FailureThreshold int32 `json:"failureThreshold,omitempty"`
}

// HTTPCheck sends an HTTP/1.1 request. A redirect is an answer and is not
// followed.
// +kubebuilder:validation:XValidation:rule="!has(self.body) || has(self.method) && self.method in ['POST', 'PUT', 'PATCH']",message="a body goes with method POST, PUT or PATCH: set method, or leave body out"
// +kubebuilder:validation:XValidation:rule="!has(self.method) || self.method != 'HEAD' || !has(self.bodyContains) && !has(self.bodyMatches)",message="the answer to HEAD has no body: write method GET, or leave bodyContains and bodyMatches out"
type HTTPCheck struct {
	// port of the Pod: a number, or the name of a container port of the
	// template.
	// +required
	Port intstr.IntOrString `json:"port"`
	// path to ask for, beginning with a slash. Defaults to /.
	// +optional
	// +kubebuilder:default="/"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:Pattern=`^/[^\s]*$`
	Path string `json:"path,omitempty"`
	// method of the request. Unset means GET.
	// +optional
	// +kubebuilder:validation:Enum=GET;HEAD;POST;PUT;PATCH;DELETE;OPTIONS
	Method string `json:"method,omitempty"`
	// headers of the request. Host sets the host that is asked for. They can be
	// read by whoever reads the Release: do not write secrets here.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Headers []HTTPHeader `json:"headers,omitempty"`
	// body of the request. Unset means none.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=8192
	Body string `json:"body,omitempty"`
	// statuses that are success: numbers and ranges, such as "200" or
	// "200-299". Unset means 200-399.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	Statuses []StatusRange `json:"statuses,omitempty"`
	// bodyContains is a text that has to be in the first 64 KiB of the answer.
	// Unset means that it is not looked for.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	BodyContains string `json:"bodyContains,omitempty"`
	// bodyMatches is a regular expression (RE2) that has to match somewhere in
	// the first 64 KiB of the answer. Unset means that none has to.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	BodyMatches string `json:"bodyMatches,omitempty"`
	// tls asks by HTTPS. Unset means plain HTTP.
	// +optional
	TLS *CheckTLS `json:"tls,omitempty"`
}

// StatusRange is an HTTP status, or two with a dash between them: both and all
// in between.
// +kubebuilder:validation:MaxLength=7
// +kubebuilder:validation:Pattern=`^[1-5][0-9][0-9](-[1-5][0-9][0-9])?$`
// +kubebuilder:validation:XValidation:rule="self.size() < 7 || self.substring(0, 3) <= self.substring(4)",message="a range of statuses begins with the smaller one, for example 200-299"
type StatusRange string

// HTTPHeader is one header of a request.
// +kubebuilder:validation:XValidation:rule="!(self.name.lowerAscii() in ['connection', 'content-length', 'transfer-encoding', 'upgrade', 'te', 'trailer'])",message="this header is about the connection and is set by the check itself: leave it out"
type HTTPHeader struct {
	// name of the header.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[-A-Za-z0-9_]+$`
	Name string `json:"name"`
	// value of the header, in printable ASCII.
	// +required
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:Pattern=`^[ -~]*$`
	Value string `json:"value"`
}

// TCPCheck opens a connection.
type TCPCheck struct {
	// port of the Pod: a number, or the name of a container port of the
	// template.
	// +required
	Port intstr.IntOrString `json:"port"`
}

// GRPCCheck asks for the health of a gRPC server. Only SERVING is success.
type GRPCCheck struct {
	// port of the Pod: a number, or the name of a container port of the
	// template.
	// +required
	Port intstr.IntOrString `json:"port"`
	// service to ask about. Unset means the server as a whole.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[-._/A-Za-z0-9]+$`
	Service string `json:"service,omitempty"`
	// tls asks by TLS. Unset means without.
	// +optional
	TLS *CheckTLS `json:"tls,omitempty"`
}

// What stands for something else in the query of a PrometheusCheck.
const (
	// QueryNamespace is the namespace of the Release.
	QueryNamespace = "${namespace}"
	// QueryPods is a regular expression for the names of the Pods under test,
	// and of those that take their place.
	QueryPods = "${pods}"
)

// PrometheusCheck is an instant query whose result is compared with a number.
// +kubebuilder:validation:XValidation:rule="self.address.matches('^https?://[a-z0-9]([-a-z0-9]*[a-z0-9])?[.][a-z0-9]([-a-z0-9]*[a-z0-9])?[.]svc([.][-.a-z0-9]*[a-z0-9])?(:[1-9][0-9]{0,4})?(/[-._~a-zA-Z0-9/]*)?$')",message="address is that of a Service in the cluster: write http://<service>.<namespace>.svc:<port>"
// +kubebuilder:validation:XValidation:rule="self.address.startsWith('https:') == has(self.tls)",message="tls goes with an address that begins with https: add tls, or write http"
type PrometheusCheck struct {
	// address of the Service of a Prometheus, or of what has its API, with the
	// path before /api/v1/query if there is one, for example
	// http://prometheus.monitoring.svc:9090. The Service needs a cluster IP,
	// which is asked.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Address string `json:"address"`
	// query in PromQL, with one number as its result. ${namespace} stands for
	// the namespace of the Release, and ${pods} for a regular expression that
	// the names of the Pods under test match.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	Query string `json:"query"`
	// success is what the result has to be.
	// +required
	Success MetricSuccess `json:"success"`
	// tls asks by HTTPS. Needed if address begins with https.
	// +optional
	TLS *CheckTLS `json:"tls,omitempty"`
}

// MetricSuccess compares a result with a number.
type MetricSuccess struct {
	// operator between the result and value.
	// +required
	Operator MetricOperator `json:"operator"`
	// value is a decimal number, such as "0.01" or "-3".
	// +required
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^-?[0-9]{1,15}([.][0-9]{1,9})?$`
	Value string `json:"value"`
}

// MetricOperator stands between a result and a number.
// +kubebuilder:validation:Enum=LessThan;AtMost;Equal;AtLeast;MoreThan
type MetricOperator string

// How results compare.
const (
	// LessThan: the result is less than the number.
	LessThan MetricOperator = "LessThan"
	// AtMost: the result is the number or less.
	AtMost MetricOperator = "AtMost"
	// Equal: the result is the number.
	Equal MetricOperator = "Equal"
	// AtLeast: the result is the number or more.
	AtLeast MetricOperator = "AtLeast"
	// MoreThan: the result is more than the number.
	MoreThan MetricOperator = "MoreThan"
)

// What the containers of a JobCheck find in their environment.
const (
	// EnvPrefix begins the names of all of them. A template must not use it.
	EnvPrefix = "COUNTERSIGN_"
	// EnvRelease, EnvNamespace, EnvColour and EnvDigest are the Release, its
	// namespace, the candidate's colour, and the digest that people vote on.
	EnvRelease   = "COUNTERSIGN_RELEASE"
	EnvNamespace = "COUNTERSIGN_NAMESPACE"
	EnvColour    = "COUNTERSIGN_COLOUR"
	EnvDigest    = "COUNTERSIGN_DIGEST"
	// EnvAddresses are the addresses of the candidate's Pods, with commas between
	// them.
	EnvAddresses = "COUNTERSIGN_ADDRESSES"
	// EnvPreviews are the hosts of the preview Services, in the order of
	// spec.services, with commas between them.
	EnvPreviews = "COUNTERSIGN_PREVIEWS"
)

// JobCheck is a Job that tests the candidate: it passes when the Job completes,
// and fails when the Job fails.
type JobCheck struct {
	// template of its Pods: a PodTemplateSpec. restartPolicy is Never unless it
	// says OnFailure. Each container finds the candidate in its environment, in
	// COUNTERSIGN_RELEASE, _NAMESPACE, _COLOUR, _DIGEST, _ADDRESSES and _PREVIEWS.
	// The ConfigMaps and Secrets that it refers to are part of the content. At most
	// 32 KiB; a field that is not known is refused.
	// +required
	// +kubebuilder:pruning:PreserveUnknownFields
	Template runtime.RawExtension `json:"template"`
	// timeoutSeconds is how long the Job may run, with all its tries. After that it
	// is ended, and has failed. Defaults to 300.
	// +optional
	// +kubebuilder:default=300
	// +kubebuilder:validation:Minimum=5
	// +kubebuilder:validation:Maximum=86400
	TimeoutSeconds int32 `json:"timeoutSeconds,omitempty"`
	// backoffLimit is how many more times its Pod is tried after it failed.
	// Defaults to 0.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10
	BackoffLimit int32 `json:"backoffLimit,omitempty"`
	// ttlSecondsAfterFinished is how long the Job and the logs of its Pods are kept
	// when it has ended. Defaults to 3600.
	// +optional
	// +kubebuilder:default=3600
	// +kubebuilder:validation:Minimum=60
	// +kubebuilder:validation:Maximum=604800
	TTLSecondsAfterFinished int32 `json:"ttlSecondsAfterFinished,omitempty"`
}

// CheckTLS says how a check speaks TLS, version 1.2 or later.
// +kubebuilder:validation:XValidation:rule="has(self.ca) != (has(self.insecureSkipVerify) && self.insecureSkipVerify)",message="say how the certificate is verified: write either ca, or insecureSkipVerify: true to accept any certificate"
// +kubebuilder:validation:XValidation:rule="!has(self.ca) || has(self.serverName)",message="ca goes with serverName: write the name that the certificate is for, because the address that is asked is seldom in it"
type CheckTLS struct {
	// ca is where the certificates are that the server's is verified with.
	// Either ca or insecureSkipVerify is needed.
	// +optional
	CA *CheckCA `json:"ca,omitempty"`
	// serverName is the name that the certificate has to be for. It is also
	// sent to the server. Needed with ca.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]([-.A-Za-z0-9]*[A-Za-z0-9])?$`
	ServerName string `json:"serverName,omitempty"`
	// insecureSkipVerify accepts any certificate: the connection is encrypted,
	// and nothing proves who is at its other end. Unset means false.
	// +optional
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`
}

// CheckCA names a key with certificates in PEM, in the Release's namespace. It is
// read when the check runs: an approval covers the names only.
type CheckCA struct {
	ConfigRef `json:",inline"`
	// key of the object. Unset means ca.crt.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[-._a-zA-Z0-9]+$`
	Key string `json:"key,omitempty"`
}

// KeyName is the key with the certificates.
func (c CheckCA) KeyName() string {
	if c.Key != "" {
		return c.Key
	}
	return "ca.crt"
}

// Port is the port of the Pods that the check asks, and the field that says so;
// nil if it asks none.
func (c Check) Port() (port *intstr.IntOrString, field string) {
	switch {
	case c.HTTP != nil:
		return &c.HTTP.Port, "http.port"
	case c.TCP != nil:
		return &c.TCP.Port, "tcp.port"
	case c.GRPC != nil:
		return &c.GRPC.Port, "grpc.port"
	}
	return nil, ""
}
