#!/bin/sh
# `make demo` works, shows what it promises, leaves nothing behind, also when it is interrupted, and notices a program
# that does not do what is shown.
set -eu
. "$(dirname "$0")/common"
need_supervise
mkdir "$work/tmp"
export TMPDIR="$work/tmp"
is_clean() { [ -z "$(ls "$work/tmp")" ]; }

"$TOP/contrib/demo" >"$work/out" 2>&1 || fail "contrib/demo fails: $(cat "$work/out")"
for text in 'kill -9' 'echo d >' 'echo u >' 'state=RUNNING' 'state=STOPPED' 'service exited' 'the clock is process'; do
    grep -qF "$text" "$work/out" || fail "contrib/demo does not show: $text"
done
is_clean || fail "contrib/demo leaves behind: $(find "$work/tmp")"

"$TOP/contrib/demo" >"$work/out" 2>&1 &
demo=$!
wait_for 'ls "$work"/tmp/*/status/clock/state >/dev/null 2>&1' || fail 'contrib/demo starts no supervise'
kill -TERM $demo
wait $demo && fail 'contrib/demo: status 0 though it was interrupted'
wait_for is_clean || fail "contrib/demo, interrupted, leaves behind: $(find "$work/tmp")"

mkdir "$work/bin"
printf '#!/bin/sh\nexit 0\n' >"$work/bin/supervise"
chmod +x "$work/bin/supervise"
SUPERVISE=$work/bin/supervise "$TOP/contrib/demo" >"$work/out" 2>&1 && fail 'contrib/demo does not notice a supervise that does nothing'

exit "$broken"
