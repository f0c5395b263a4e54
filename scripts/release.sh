#!/usr/bin/env bash
# scripts/release.sh DIRECTORY [TAG]: what a release is of, in a directory: the npm package, the chart, the bill of materials of what both ship
# (CycloneDX), the licences of that, and the checksums of these files. TAG must be the version of package.json, with a v before it. The directory may
# have such files of an older run, which are replaced, and nothing else.
# IMAGE=registry.example/talaria is what the chart has then as its image; HELM is another helm than that of the path.
set -euo pipefail
shopt -s nullglob dotglob
directory="${1:?say in which directory}"
tag="${2:-}"

refuse() {
  echo "$1" >&2
  exit 1
}

mkdir -p "$directory"
directory="$(cd "$directory" && pwd)"
cd "$(dirname "$0")/.."

version="$(node -p 'require("./package.json").version')"
if [ -n "$tag" ] && [ "$tag" != "v$version" ]; then
  refuse "The tag is $tag, but package.json has $version: the tag must be v$version."
fi
for key in version appVersion; do
  told="$(sed -n "s/^$key: *//p" charts/talaria/Chart.yaml | tr -d "\"'")"
  if [ "$told" != "$version" ]; then
    refuse "charts/talaria/Chart.yaml has the $key $told, but package.json has $version: both must be the same."
  fi
done

stale=()
for file in "$directory"/*; do
  case "${file##*/}" in
    SHA256SUMS | licences.txt | sbom.cdx.json | talaria-hub-talaria-*.tgz | talaria-chart-*.tgz) stale+=("$file") ;;
    *) refuse "$directory has ${file##*/}, which is not of a release: name a directory that is empty, or that does not exist." ;;
  esac
done

# The directory has the old files until the new ones are whole.
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
made="$scratch/release"
mkdir "$made"

npm run --silent licences > "$made/licences.txt"
node scripts/sbom.mjs > "$made/sbom.cdx.json"
npm pack --silent --pack-destination "$made" > /dev/null

cp -R charts/talaria "$scratch"
if [ -n "${IMAGE:-}" ]; then
  sed "s|^  repository: talaria$|  repository: $IMAGE|" charts/talaria/values.yaml > "$scratch/talaria/values.yaml"
fi
"${HELM:-helm}" package "$scratch/talaria" --destination "$scratch" > /dev/null
mv "$scratch/talaria-$version.tgz" "$made/talaria-chart-$version.tgz"

(cd "$made" && sha256sum -- * > SHA256SUMS)
[ "${#stale[@]}" = 0 ] || rm -f -- "${stale[@]}"
mv -- "$made"/* "$directory"
