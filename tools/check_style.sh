#!/usr/bin/env bash
# Checks the form of the code, quickly: clang-format for C++, ruff for Python, bash -n for shell.
# `make lint` runs this and the slow checks; `make test` runs this alone. With --fix it formats.
set -euo pipefail
cd "$(dirname "$0")/.."

mapfile -t cpp < <(find src tests fuzz bench -path '*/node_modules' -prune -o \
  \( -name '*.h' -o -name '*.cpp' \) -print | sort)
mapfile -t python < <(find tools tests bench -path '*/node_modules' -prune -o -name '*.py' -print | sort)
mapfile -t shell < <(find tools tests .ci -path '*/node_modules' -prune -o \
  \( -name '*.sh' -o -path '.ci/run' \) -print | sort)

status=0
if [[ ${1-} == --fix ]]; then
  clang-format-19 -i "${cpp[@]}"
  build/venv/bin/ruff check --quiet --no-cache --fix "${python[@]}" || status=1
else
  # One call for all: starting one a file takes eight times as long.
  if ! problems=$(clang-format-19 --dry-run --Werror "${cpp[@]}" 2>&1); then
    sed -nE 's/^([^:]+):[0-9]+:[0-9]+: error:.*/\1: not in its form; make format mends it/p' \
      <<<"$problems" | sort -u
    status=1
  fi
  build/venv/bin/ruff check --quiet --no-cache "${python[@]}" || status=1
fi
for script in "${shell[@]}"; do
  bash -n "$script" || status=1
done
if ((status == 0)); then
  echo "check_style: ${#cpp[@]} C++, ${#python[@]} Python and ${#shell[@]} shell files, no problems"
fi
exit "$status"
