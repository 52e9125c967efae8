{{- define "gvList" -}}
{{- range . }}{{ template "gvDetails" . }}{{ end -}}
{{- end -}}

{{- define "gvDetails" -}}
# API reference

This page is made from [api/v1alpha1](../api/v1alpha1) by crd-ref-docs: `make generate`.
Group and version are `{{ .GroupVersionString }}`. Begin with [Release](#release) and
[ApprovalPolicy](#approvalpolicy). Fields of the status are written by the operator alone.
A field with a default may be left out; so may one that is optional. What contradicts
itself across fields is refused when it is applied, with the field and what to write.
{{ range .SortedTypes }}{{ template "type" . }}{{ end -}}
{{- end -}}

{{- define "type" -}}
{{- $type := . -}}
{{- if markdownShouldRenderType $type }}

## {{ $type.Name }}

{{ $type.Doc }}
{{ if $type.IsAlias }}
It is a {{ markdownRenderTypeLink $type.UnderlyingType }}.
{{ end -}}
{{ if $type.Validation }}
Bounds: {{ range $i, $v := $type.Validation }}{{ if $i }}; {{ end }}{{ $v }}{{ end }}.
{{ end -}}
{{ if $type.References }}
Used in {{ range $i, $r := $type.SortedReferences }}{{ if $i }}, {{ end }}{{ markdownRenderTypeLink $r }}{{ end }}.
{{ end -}}
{{ if $type.Members }}
| field | type | | default | bounds |
|---|---|---|---|---|
{{ range $type.Members -}}
| `{{ .Name }}` | {{ markdownRenderType .Type }} | {{ if eq .Name "metadata" }}as of every object{{ else }}{{ markdownRenderFieldDoc .Doc }}{{ end }} | {{ markdownRenderDefault .Default }} | {{ range $i, $v := .Validation }}{{ if $i }}<br>{{ end }}{{ if eq $v "Optional: {}" }}optional{{ else if eq $v "Required: {}" }}required{{ else }}{{ markdownRenderFieldDoc $v }}{{ end }}{{ end }} |
{{ end -}}
{{ end -}}
{{ if $type.EnumValues }}
| value | |
|---|---|
{{ range $type.EnumValues -}}
| `{{ .Name }}` | {{ markdownRenderFieldDoc .Doc }} |
{{ end -}}
{{ end -}}
{{- end -}}
{{- end -}}
