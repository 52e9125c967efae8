# Copyright The Countersign Authors.
# SPDX-License-Identifier: Apache-2.0

# What hidden blocks of the documents prepare the cluster with. See CONTRIBUTING.md.

export PATH=$PWD/bin:$PATH

# stage makes a namespace as config/samples has it, and what kubectl means from
# then on: stage NAMESPACE [PERSON]
stage() {
  namespace=$1
  for file in namespace people policy service; do
    sed -e "s/namespace: shop/namespace: $1/" -e "s/\[shop\]/[$1]/" "config/samples/$file.yaml" |
      if [ "$file" = service ]; then cat; else sed "s/name: shop$/name: $1/"; fi |
      kubectl --context admin apply -f - || return
  done
  as "${2:-dev}"
}

# as makes a person's context the one that kubectl means: as PERSON
as() {
  kubectl config use-context "$1" && kubectl config set-context --current --namespace="$namespace"
}

# release applies the sample, in another version and with other words replaced, and
# waits until people have to vote on it: release VERSION [SED-EXPRESSION]
release() {
  sed -e "s/namespace: shop/namespace: $namespace/" -e "s/demoapp:v1/demoapp:$1/" -e 's/observeSeconds: 20/observeSeconds: 1/' \
    -e "${2:-}" config/samples/release.yaml | kubectl --context dev apply -f - &&
    kubectl --context admin -n "$namespace" wait release shop --for=jsonpath='{.status.phase}'=AwaitingApproval --timeout=90s
}

# agree lets people of qa and security approve it, and waits until it serves.
agree() {
  digest=$(kubectl --context admin -n "$namespace" get release shop -o jsonpath='{.status.candidate.digest}') || return
  for person in alice bob; do
    kubectl --context "$person" -n "$namespace" annotate release shop --overwrite "approvals.countersign.dev/$person=$digest" || return
  done
  kubectl --context admin -n "$namespace" wait release shop --for=jsonpath='{.status.active.digest}'="$digest" --timeout=60s
}

# finish waits until it is no longer observed.
finish() {
  kubectl --context admin -n "$namespace" wait release shop --for=jsonpath='{.status.phase}'=Stable --timeout=90s
}
