// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/countersign/countersign/hack/cluster/image"
)

// writeBill writes which modules the linker put into the programs, as CycloneDX
// JSON. It reads the programs, not go.mod: what only tests need is not in there.
// It has neither a time nor a random number.
func writeBill(w io.Writer, version string, programs ...image.Program) error {
	modules := map[string]cdx.Component{}
	var name string
	for _, p := range programs {
		info, err := buildinfo.ReadFile(p.File)
		if err != nil {
			return err
		}
		name = info.Main.Path
		c := component("std", strings.TrimPrefix(info.GoVersion, "go"), "")
		modules[c.BOMRef] = c
		for _, m := range info.Deps {
			if m.Replace != nil {
				m = m.Replace
			}
			c := component(m.Path, m.Version, m.Sum)
			modules[c.BOMRef] = c
		}
	}
	subject := component(name, version, "")
	subject.Type = cdx.ComponentTypeApplication
	subject.Licenses = &cdx.Licenses{{License: &cdx.License{ID: "Apache-2.0"}}}
	refs := slices.Sorted(maps.Keys(modules))
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{Component: &subject}
	bom.Components = &[]cdx.Component{}
	for _, ref := range refs {
		*bom.Components = append(*bom.Components, modules[ref])
	}
	bom.Dependencies = &[]cdx.Dependency{{Ref: subject.BOMRef, Dependencies: &refs}}
	if err := cdx.NewBOMEncoder(w, cdx.BOMFileFormatJSON).SetPretty(true).Encode(bom); err != nil {
		return fmt.Errorf("write the bill of materials: %w", err)
	}
	return nil
}

// component is a Go module by its package URL. A sum of go.sum is the SHA-256 of
// the list of the module's files, in base64.
func component(path, version, sum string) cdx.Component {
	ref := "pkg:golang/" + path + "@" + version
	c := cdx.Component{BOMRef: ref, Type: cdx.ComponentTypeLibrary, Name: path, Version: version, PackageURL: ref}
	if raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(sum, "h1:")); err == nil && len(raw) > 0 {
		c.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(raw)}}
	}
	return c
}
