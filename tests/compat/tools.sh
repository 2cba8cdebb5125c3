#!/bin/sh
# The tools that exist already work on a status directory of ours: svok, svstat and svc of daemontools, sv of runit, and
# what shell scripts do with od, fuser, pgrep and echo.
# shellcheck disable=SC2016,SC2034,SC2317  # conditions are evaluated again and again by wait_for
. "$(dirname "$0")/../check/common"

need_supervise
need svok svstat svc sv fuser pgrep
dir=$work/status/svc

expect() { wait_for "$2" || fail "$1: not so: $2"; }

pid() { od -An -j16 -N4 -tu4 "$dir/status" | tr -d ' '; }
state() { sed -n 's/^state=//p' "$dir/state"; }
# One look decides: a pid that is read twice can be the old one at first and none at the second time.
is_other_than() { now=$(pid); [ "${now:-0}" != 0 ] && [ "$now" != "$1" ]; }

expect 'svok before the start' '! svok "$dir" 2>/dev/null'
"$SUPERVISE" -u "$dir" sleep 1000 || exit 1

expect 'svok' 'svok "$dir"'
expect 'svstat, up' 'svstat "$dir" | grep -q "up (pid $(pid)) [0-9]* seconds"'
svc -d "$dir"
expect 'svc -d' '[ "$(pid)" = 0 ]'
expect 'svstat, down' 'svstat "$dir" | grep -q "down [0-9]* seconds, normally up"'
svc -u "$dir"
expect 'svc -u' '[ "$(pid)" != 0 ]'
first=$(pid)
svc -t "$dir"
expect 'svc -t' 'is_other_than "$first"'
svc -p "$dir"
expect 'svstat, paused' 'svstat "$dir" | grep -q paused'
svc -c "$dir"
expect 'svc -c' 'svstat "$dir" | grep -qv paused'

expect 'sv status, run' 'sv status "$dir" | grep -q "^run: $dir: (pid $(pid)) [0-9]*s"'
sv down "$dir" >/dev/null || broken=1
expect 'sv status, down' 'sv status "$dir" | grep -q "^down: $dir: [0-9]*s"'
expect 'sv down' '[ "$(state)" = STOPPED ]'
sv up "$dir" >/dev/null || broken=1
expect 'sv up' '[ "$(pid)" != 0 ]'
second=$(pid)
sv -w 20 restart "$dir" >/dev/null || broken=1
expect 'sv restart' 'is_other_than "$second"'
second=$(pid)
sv kill "$dir" >/dev/null || broken=1
expect 'sv kill' 'is_other_than "$second"'
sv once "$dir" >/dev/null || broken=1
expect 'sv once' 'grep -qx want=once "$dir/state"'

holder=$(fuser "$dir/lock" 2>/dev/null | tr -d ' ')
expect 'pgrep -s' 'pgrep -s "$holder" | grep -qx "$(pid)"'
expect 'the session leader' '[ "$(ps -o sid= -p "$(pid)" | tr -d " ")" = "$holder" ]'

sv down "$dir" >/dev/null || broken=1
sv -w 20 exit "$dir" >/dev/null || broken=1
expect 'sv exit' '! svok "$dir" 2>/dev/null'
exit "$broken"
