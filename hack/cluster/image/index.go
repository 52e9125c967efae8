// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import (
	"errors"
	"fmt"
	"io"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// refAnnotation is the tag, which tools take it from that copy an image out of an
// archive.
const refAnnotation = "org.opencontainers.image.ref.name"

// Program is a file that runs on an architecture of Linux.
type Program struct{ Arch, File string }

// WriteIndex writes an OCI archive of one image for several architectures, and
// returns its digest. The same input gives the same bytes.
func WriteIndex(w io.Writer, i Image, programs ...Program) (v1.Hash, error) {
	if len(programs) == 0 {
		return v1.Hash{}, errors.New("an image wants at least one program")
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	tag, err := name.NewTag(i.Ref)
	if err != nil {
		return v1.Hash{}, err
	}
	for _, p := range programs {
		layer, err := programLayer(p.File)
		if err != nil {
			return v1.Hash{}, err
		}
		img, err := i.build(layer, p.Arch)
		if err != nil {
			return v1.Hash{}, fmt.Errorf("image %s for %s: %w", i.Ref, p.Arch, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: p.Arch}},
		})
	}
	if len(i.Labels) > 0 {
		index = mutate.Annotations(index, i.Labels).(v1.ImageIndex)
	}
	names, err := i.names(index)
	if err != nil {
		return v1.Hash{}, fmt.Errorf("image %s: %w", i.Ref, err)
	}
	err = writeLayout(w, func(path layout.Path) error {
		for _, ref := range names {
			annotations := map[string]string{nameAnnotation: ref}
			if ref == i.Ref {
				annotations[refAnnotation] = tag.TagStr()
			}
			if err := path.AppendIndex(index, layout.WithAnnotations(annotations)); err != nil {
				return fmt.Errorf("image %s: %w", ref, err)
			}
		}
		return nil
	})
	if err != nil {
		return v1.Hash{}, err
	}
	return index.Digest()
}
