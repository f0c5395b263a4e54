#!/usr/bin/env bash
# scripts/release.sh DIRECTORY [TAG]: what a release is of, in a directory: the npm package, the chart, the bill of materials of what both ship
# (CycloneDX), the licences of that, and the checksums of these files. TAG must be the version of package.json, with a v before it.
# IMAGE=registry.example/talaria is what the chart has then as its image; HELM is another helm than that of the path.
set -euo pipefail
directory="${1:?say in which directory}"
tag="${2:-}"
mkdir -p "$directory"
directory="$(cd "$directory" && pwd)"
cd "$(dirname "$0")/.."

version="$(node -p 'require("./package.json").version')"
if [ -n "$tag" ] && [ "$tag" != "v$version" ]; then
  echo "The tag is $tag, but package.json has $version: the tag must be v$version." >&2
  exit 1
fi

npm run --silent licences > "$directory/licences.txt"
npm sbom --sbom-format cyclonedx --sbom-type application --package-lock-only --omit dev > "$directory/sbom.cdx.json"
npm pack --silent --pack-destination "$directory" > /dev/null

chart="$(mktemp -d)"
trap 'rm -rf "$chart"' EXIT
cp -R charts/talaria "$chart"
if [ -n "${IMAGE:-}" ]; then
  sed "s|^  repository: talaria$|  repository: $IMAGE|" charts/talaria/values.yaml > "$chart/talaria/values.yaml"
fi
"${HELM:-helm}" package "$chart/talaria" --destination "$chart" > /dev/null
mv "$chart/talaria-$version.tgz" "$directory/talaria-chart-$version.tgz"

cd "$directory"
rm -f SHA256SUMS
sha256sum -- * > SHA256SUMS
