// What the engines share is a module without requirements, so that what the operator
// needs has no part in what they need.
module github.com/countersign/countersign/hack/gitops/engine

go 1.26.0
