#!/bin/sh
# The same source gives the same bytes in another directory, of another length, without ccache.
set -eu
. "$(dirname "$0")/../check/common"
need_supervise
cd "$TOP"
mkdir -p "$work/another directory"
cp -R Makefile src "$work/another directory/"
make -C "$work/another directory" CCACHE= all >"$work/out" 2>&1 || fail "$(cat "$work/out")"
for program in supervise supervisectl; do
    cmp "$program" "$work/another directory/$program" || fail "$program differs"
done
exit "$broken"
