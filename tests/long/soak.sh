#!/bin/sh
# A few services and a few seconds of what `make soak` does to many for long: so that it still works, and finds nothing.
set -eu
. "$(dirname "$0")/../check/common"

need_supervise
soak=${SOAK:-$TOP/build/tests/soak}
[ -x "$soak" ] || skip "$soak is not built"
[ -z "${SANITIZED:-}" ] || skip 'it measures memory'

SUPERVISECTL=${SUPERVISECTL:-$(dirname "$SUPERVISE")/supervisectl}
export SUPERVISECTL
TMPDIR=$work "$soak" --services 8 --seconds 3 >"$work/out" 2>&1 || { cat "$work/out" "$work"/soak.*/violations; fail 'there are violations'; }
grep -q '^soak: 8 services, 0.05 minutes: 0 violations$' "$work/out" || fail "it does not say that all is well: $(cat "$work/out")"
[ -z "$(find "$work" -name 'soak.*' | head -n 1)" ] || fail 'it leaves its directory behind'
exit "$broken"
