// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"maps"
	"slices"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
)

// KeySize is the least size of a key.
const KeySize = 32

// What hashes are of, so that none passes for another.
const (
	kindConfigMap = "countersign.dev/config/configmap/v1"
	kindSecret    = "countersign.dev/config/secret/v1"
	kindCopy      = "countersign.dev/config/copy/v1"
)

// Hasher hashes what objects hold.
type Hasher struct{ key []byte }

// NewHasher has a key for Secrets. Without one it hashes ConfigMaps only.
func NewHasher(key []byte) Hasher { return Hasher{key} }

// ConfigMap is the hash of what a ConfigMap holds: its data, whatever its name,
// labels and annotations.
func (h Hasher) ConfigMap(c *corev1.ConfigMap) string {
	sum := sha256.New()
	text(sum, kindConfigMap)
	number(sum, len(c.Data))
	for _, key := range slices.Sorted(maps.Keys(c.Data)) {
		text(sum, key)
		text(sum, c.Data[key])
	}
	for _, key := range slices.Sorted(maps.Keys(c.BinaryData)) {
		text(sum, key)
		text(sum, string(c.BinaryData[key]))
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))
}

// ErrNoKey says that Secrets cannot be hashed. They are not hashed without a
// key, because who knows a plain hash can try out what a Secret may hold.
type ErrNoKey struct{}

func (ErrNoKey) Error() string {
	return "the operator has no key to hash Secrets with; look at its log and at Secret countersign-config-key of its namespace"
}

// Secret is the keyed hash of what a Secret holds.
func (h Hasher) Secret(s *corev1.Secret) (string, error) {
	if len(h.key) < KeySize {
		return "", ErrNoKey{}
	}
	sum := hmac.New(sha256.New, h.key)
	text(sum, kindSecret)
	number(sum, len(s.Data))
	for _, key := range slices.Sorted(maps.Keys(s.Data)) {
		text(sum, key)
		text(sum, string(s.Data[key]))
	}
	return "hmac-sha256:" + hex.EncodeToString(sum.Sum(nil)), nil
}

// text and number are written so that no two sequences of them are the same
// bytes.
func text(sum hash.Hash, s string) {
	number(sum, len(s))
	_, _ = sum.Write([]byte(s)) // a hash takes everything
}

func number(sum hash.Hash, n int) {
	_, _ = sum.Write(binary.BigEndian.AppendUint64(nil, uint64(n)))
}

// Names of objects have at most 253 characters.
const (
	maxName    = 253
	copyDigits = 32
)

// IsCopyName tells whether an object's name is of the form that copies of a
// Release have.
func IsCopyName(release, name string) bool {
	rest, ok := strings.CutPrefix(name, release+"-")
	if i := strings.LastIndexByte(rest, '-'); ok && i >= 0 {
		digits, err := hex.DecodeString(rest[i+1:])
		return err == nil && 2*len(digits) == copyDigits
	}
	return false
}

// CopyName is the name of the copy of an object with such contents. It differs
// for each Release, also for a later one of the same name, so that what one
// left behind is never in the way of the other.
func CopyName(owner Owner, source v1alpha1.ConfigRef, contents string) string {
	sum := sha256.New()
	for _, part := range []string{kindCopy, owner.Namespace, owner.Name, owner.UID, string(source.Kind), source.Name, contents} {
		text(sum, part)
	}
	name := owner.Name + "-" + source.Name
	name = strings.TrimRight(name[:min(len(name), maxName-copyDigits-1)], "-.")
	return name + "-" + hex.EncodeToString(sum.Sum(nil))[:copyDigits]
}
