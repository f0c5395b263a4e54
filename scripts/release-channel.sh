#!/usr/bin/env bash
# scripts/release-channel.sh TAG: where a release is found by who names no version, as the tag of the npm package and of the image: "latest", or "next" for
# one that comes before another (v1.2.0-rc.1), so that nobody gets that without asking for it.
set -euo pipefail
tag="${1:?say which tag}"

number='(0|[1-9][0-9]*)'
if [[ ! "$tag" =~ ^v$number\.$number\.$number(-[0-9A-Za-z.-]+)?$ ]]; then
  echo "The tag $tag is not of a release: v1.2.3, or v1.2.3-rc.1." >&2
  exit 1
fi
if [ -n "${BASH_REMATCH[4]}" ]; then echo next; else echo latest; fi
