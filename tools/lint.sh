#!/usr/bin/env bash
# The slow checks: clang-tidy over every source of the release build, shellcheck over the scripts.
# Reports everything before it fails.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

status=0
tools/check_style.sh || status=1

mapfile -t shell < <(find tools tests .ci -path '*/node_modules' -prune -o \
  \( -name '*.sh' -o -path '.ci/run' \) -print | sort)
shellcheck "${shell[@]}" || status=1

# clang-tidy reads how each file is compiled, and generated headers must be there.
test -f build/release/build.ninja || cmake --preset release || exit 1
ninja -C build/release --quiet || exit 1
mapfile -t cpp < <(find src fuzz bench tests -path '*/node_modules' -prune -o -name '*.cpp' -print |
  sort)
compiled=()
for file in "${cpp[@]}"; do
  grep -qF "\"file\": \"$PWD/$file\"" build/release/compile_commands.json && compiled+=("$file")
done
printf '%s\0' "${compiled[@]}" |
  xargs -0 -n 4 -P "$(nproc)" clang-tidy-19 -p build/release --quiet --warnings-as-errors='*' \
    2> >(grep -vE 'warnings? (generated|treated)|^Suppressed|^Use -header' >&2) || status=1

if ((status == 0)); then echo "lint: no problems in ${#compiled[@]} sources"; fi
exit "$status"
