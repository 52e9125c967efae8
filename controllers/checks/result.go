// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// reply is an answer of the HTTP API of Prometheus.
type reply struct {
	Status    string   `json:"status"`
	ErrorType string   `json:"errorType"`
	Warnings  []string `json:"warnings"`
	Data      struct {
		ResultType string          `json:"resultType"`
		Result     json.RawMessage `json:"result"`
	} `json:"data"`
}

// number is the one that a reply has. All else is unclear.
func number(status int, body []byte) (float64, error) {
	var r reply
	err := json.Unmarshal(body, &r)
	switch {
	case status != http.StatusOK || err == nil && r.Status != "success":
		return 0, refused(status, r.ErrorType)
	case err != nil:
		return 0, unclearf("address is not that of a Prometheus: what it answered is not in its format")
	case len(r.Warnings) > 0:
		return 0, unclearf("the Prometheus answered with warnings, so that data may be missing")
	}
	switch r.Data.ResultType {
	case "scalar":
		return sample(r.Data.Result)
	case "vector":
		return single(r.Data.Result)
	}
	return 0, unclearf("the result is neither one series nor a scalar; write a query with one number as its result")
}

// knownError tells whether a kind of error is one of Prometheus: another text is the other end's own.
func knownError(kind string) bool {
	return slices.Contains([]string{"bad_data", "canceled", "execution", "internal", "not_acceptable", "not_found", "timeout", "unavailable"}, kind)
}

func refused(status int, kind string) error {
	switch {
	case kind == "bad_data":
		return unclearf("the Prometheus cannot read the query (bad_data); mend it")
	case knownError(kind):
		return unclearf("the Prometheus could not answer the query (%s)", kind)
	}
	return unclearf("address answered %s to the query", strings.TrimSpace(strconv.Itoa(status)+" "+http.StatusText(status)))
}

func single(result json.RawMessage) (float64, error) {
	var series []struct {
		Value json.RawMessage `json:"value"`
	}
	switch err := json.Unmarshal(result, &series); {
	case err != nil:
		return 0, unclearf("the result is not in the format of a Prometheus")
	case len(series) == 0:
		return 0, unclearf("the query has no result; if none means zero, write: ... or vector(0)")
	case len(series) > 1:
		return 0, unclearf("the query has more than one series as its result; aggregate it, for example with sum or max")
	}
	return sample(series[0].Value)
}

// sample is [time, "number"].
func sample(raw json.RawMessage) (float64, error) {
	var pair []json.RawMessage
	var text string
	if json.Unmarshal(raw, &pair) != nil || len(pair) != 2 || json.Unmarshal(pair[1], &text) != nil {
		return 0, unclearf("the result is no number")
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(value) || math.IsInf(value, 0) {
		return 0, unclearf("the result is no finite number, such as after a division by zero")
	}
	return value, nil
}
