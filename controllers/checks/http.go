// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
)

// client opens a connection for every question, as the kubelet's probes do: an
// old connection may outlive what it should test. It follows no redirect.
var client = &http.Client{
	Transport: &http.Transport{DisableKeepAlives: true, Proxy: nil},
	CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	},
}

// bodyLimit is how much of an answer is read, in bytes.
const bodyLimit = 64 << 10

// askHTTP asks one Pod. A status from 200 to 399 is success, as for the
// kubelet's probes.
func askHTTP(ctx context.Context, t Target, c v1alpha1.HTTPCheck, timeout time.Duration) error {
	if t.Port == 0 {
		return fmt.Errorf("the template has no container port named %s", c.Port.String())
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	url := "http://" + net.JoinHostPort(t.IP, strconv.Itoa(int(t.Port))) + c.Path
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("Pod %s: %w", t.Pod, err)
	}
	req.Header.Set("User-Agent", "countersign-check")
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("Pod %s did not answer: %w", t.Pod, err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, bodyLimit)); err != nil {
		return fmt.Errorf("Pod %s broke off its answer: %w", t.Pod, err)
	}
	if resp.StatusCode < 200 || resp.StatusCode >= 400 {
		return fmt.Errorf("Pod %s answered %s to %s", t.Pod, resp.Status, c.Path)
	}
	return nil
}
