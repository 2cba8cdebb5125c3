#!/bin/sh
# clang builds the programs as well, without a warning.
set -eu
. "$(dirname "$0")/../check/common"
need clang++
make -C "$TOP" WERROR=1 clang >"$work/out" 2>&1 || fail "$(cat "$work/out")"
exit "$broken"
