// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

const (
	keyPrefix = "whsec_"
	// keyLeast is the shortest key that Standard Webhooks allows, in bytes.
	keyLeast = 24
	// keyLimit is how many keys sign at once.
	keyLimit = 4
)

// readKeys reads the keys of a file, one on each line.
func readKeys(file string) (keys []*standardwebhooks.Webhook, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the key: %w", err)
	}
	for _, line := range strings.Fields(string(text)) {
		raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(line, keyPrefix))
		if err != nil || len(raw) < keyLeast || !strings.HasPrefix(line, keyPrefix) {
			return nil, fmt.Errorf("%s has a line that is no key: write %s and at least %d random bytes in base64, as by: echo %s$(openssl rand -base64 32)", file, keyPrefix, keyLeast, keyPrefix)
		}
		key, err := standardwebhooks.NewWebhookRaw(raw)
		if err != nil {
			return nil, fmt.Errorf("take up the key: %w", err)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 || len(keys) > keyLimit {
		return nil, fmt.Errorf("%s has %d keys; write one, or up to %d while they are rotated, each on a line", file, len(keys), keyLimit)
	}
	return keys, nil
}

// sign gives one signature for each key, of the id, the time and the body.
func sign(file string, m message, at time.Time) (string, error) {
	keys, err := readKeys(file)
	if err != nil {
		return "", err
	}
	var signatures []string
	for _, key := range keys {
		signature, err := key.Sign(m.id, at, m.body)
		if err != nil {
			return "", fmt.Errorf("sign the notification: %w", err)
		}
		signatures = append(signatures, signature)
	}
	return strings.Join(signatures, " "), nil
}
