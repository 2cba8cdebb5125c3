#!/bin/sh
# clang-tidy has no finding in the product. `make lint` looks at the tests as well.
set -eu
. "$(dirname "$0")/../check/common"
need clang-tidy
cd "$TOP"
make lint LINT="$(echo src/*/*.cc)" >"$work/out" 2>&1 || fail "$(grep -v '^clang-tidy' "$work/out")"
exit "$broken"
