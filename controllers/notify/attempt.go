// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v5"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// retryAfterLimit is the longest that the other end may have an attempt put off.
const retryAfterLimit = 10 * time.Minute

// errGone is of an endpoint that wants no more.
var errGone = errors.New("the endpoint says that it is gone (410); start the operator anew once it is back")

// refusal is an answer that trying again does not change.
type refusal struct{ status string }

func (r refusal) Error() string { return "the endpoint answered " + r.status }

// attempt posts a notification once.
func (s *Sender) attempt(ctx context.Context, m message) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.options.URL, bytes.NewReader(m.body))
	if err != nil {
		return backoff.Permanent(refusal{"nothing, because the request cannot be made"})
	}
	now := s.options.Now()
	signature, err := sign(s.options.KeyFile, m, now)
	if err != nil {
		return failure(err)
	}
	request.Header.Set("Content-Type", "application/cloudevents+json; charset=UTF-8")
	request.Header.Set("User-Agent", "countersign")
	request.Header.Set(standardwebhooks.HeaderWebhookID, m.id)
	request.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	request.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	response, err := s.client.Do(request)
	if err != nil {
		return failure(err)
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.CopyN(io.Discard, response.Body, 4096) // so that the connection can be used again
	return s.judge(response)
}

// judge says what an answer means.
func (s *Sender) judge(response *http.Response) error {
	switch code := response.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code == http.StatusGone:
		return failure(backoff.Permanent(errGone))
	case code >= 300 && code < 400, code == http.StatusBadRequest, code == http.StatusRequestEntityTooLarge,
		code == http.StatusUnsupportedMediaType, code == http.StatusUnprocessableEntity:
		return failure(backoff.Permanent(refusal{response.Status}))
	}
	if wait := retryAfter(response.Header.Get("Retry-After"), s.options.Now()); wait > 0 {
		return failure(&backoff.RetryAfterError{Duration: wait})
	}
	return failure(fmt.Errorf("the endpoint answered %s", response.Status))
}

func failure(err error) error {
	failed.Inc()
	return err
}

// retryAfter is how long the other end asks to wait: a number of seconds, or a time.
func retryAfter(text string, now time.Time) time.Duration {
	var wait time.Duration
	if seconds, err := strconv.Atoi(text); err == nil {
		wait = time.Duration(min(seconds, int(retryAfterLimit/time.Second))) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		wait = at.Sub(now)
	}
	return min(wait, retryAfterLimit)
}
