// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
)

// bodyLimit is how much of an answer is read, and headLimit how much of what
// comes before it, in bytes.
const (
	bodyLimit = 64 << 10
	headLimit = 64 << 10
)

// userAgent is how a check names itself.
const userAgent = "countersign-check"

type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// newClient opens a connection for every question, as the kubelet's probes do: an
// old connection may outlive what it should test. It follows no redirect, uses
// no proxy and unpacks nothing.
func newClient(config *tls.Config, dial dialer) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext: dial, DisableKeepAlives: true, DisableCompression: true, Proxy: nil,
			TLSClientConfig: config, MaxResponseHeaderBytes: headLimit,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// exchange is an HTTPCheck that is ready to be asked.
type exchange struct {
	v1alpha1.HTTPCheck
	client  *http.Client
	scheme  string
	matches *regexp.Regexp
}

func httpQuestion(c v1alpha1.HTTPCheck, config *tls.Config) (question, error) {
	x := exchange{HTTPCheck: c, client: newClient(config, (&net.Dialer{}).DialContext), scheme: "http"}
	if config != nil {
		x.scheme = "https"
	}
	if c.BodyMatches != "" {
		var err error
		if x.matches, err = regexp.Compile(c.BodyMatches); err != nil {
			return nil, unclearf("bodyMatches is no regular expression; write one of RE2")
		}
	}
	return x.ask, nil
}

func (x exchange) ask(ctx context.Context, t Target) error {
	req, err := x.request(ctx, t)
	if err != nil {
		return unclearf("the request cannot be made: look at method, path and headers")
	}
	resp, err := x.client.Do(req)
	if err != nil {
		return podError(t, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, bodyLimit))
	if err != nil {
		return fmt.Errorf("Pod %s broke off its answer to %s", t.Pod, x.Path)
	}
	return x.judge(t, resp.StatusCode, body)
}

func (x exchange) request(ctx context.Context, t Target) (*http.Request, error) {
	method := x.Method
	if method == "" {
		method = http.MethodGet
	}
	var body io.Reader
	if x.Body != "" {
		body = strings.NewReader(x.Body)
	}
	req, err := http.NewRequestWithContext(ctx, method, x.scheme+"://"+address(t)+x.Path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", userAgent)
	given := http.Header{}
	for _, h := range x.Headers {
		if strings.EqualFold(h.Name, "Host") {
			req.Host = h.Value
			continue
		}
		given.Add(h.Name, h.Value)
	}
	for name, values := range given {
		req.Header[name] = values
	}
	return req, nil
}

// judge an answer. What it holds is looked at and never told.
func (x exchange) judge(t Target, status int, body []byte) error {
	answered := fmt.Sprintf("Pod %s answered %s to %s", t.Pod, strings.TrimSpace(strconv.Itoa(status)+" "+http.StatusText(status)), x.Path)
	switch {
	case !x.expected(status):
		return fmt.Errorf("%s", answered)
	case x.BodyContains != "" && !strings.Contains(string(body), x.BodyContains):
		return fmt.Errorf("%s without the text of bodyContains in its first %d KiB", answered, bodyLimit>>10)
	case x.matches != nil && !x.matches.Match(body):
		return fmt.Errorf("%s without a match of bodyMatches in its first %d KiB", answered, bodyLimit>>10)
	}
	return nil
}

// expected tells whether a status is success. Three digits compare as numbers do.
func (x exchange) expected(status int) bool {
	if len(x.Statuses) == 0 {
		return status >= 200 && status < 400
	}
	s := strconv.Itoa(status)
	for _, r := range x.Statuses {
		first, last, is := strings.Cut(string(r), "-")
		if !is {
			last = first
		}
		if len(s) == len(first) && len(s) == len(last) && first <= s && s <= last {
			return true
		}
	}
	return false
}
