#!/bin/sh
# Every letter of daemontools' svc and every verb of runit's sv has its effect on a status directory of ours, and their
# reports are right. tools.sh has the rest.
# shellcheck disable=SC2016,SC2034,SC2317  # conditions are evaluated again and again by wait_for
. "$(dirname "$0")/../check/common"

need_supervise
need svok svstat svc sv
service=${SERVICE:-$TOP/build/tests/service}
[ -x "$service" ] || skip "$service does not exist: run make check"
dir=$work/status/svc
got=$work/signals

expect() { wait_for "$2" || fail "$1: not so: $2"; }
value() { sed -n "s/^$1=//p" "$dir/state"; }
count() { grep -cx "got $1" "$got" || :; }
arrives() {    # what, signal, command...
    what=$1 signal=$2 before=$(count "$2")
    shift 2
    "$@" >/dev/null || fail "$what: exit status $?"
    expect "$what" "[ \"\$(count $signal)\" -gt $before ]"
}

# It ends by no signal but KILL, and so is there for all of them.
printf '[svc]\nstopwaitsecs : 0\n' >"$work/conf"
"$SUPERVISE" -F "$work/conf" -u "$dir" "$service" trap got "$got" || exit 1
expect 'the service' 'grep -qx "got ready" "$got"'
expect 'RUNNING' '[ "$(value state)" = RUNNING ]'
pid=$(value pid)

for row in h:HUP a:ALRM i:INT t:TERM; do arrives "svc -${row%:*}" "${row#*:}" svc -"${row%:*}" "$dir"; done
for row in hup:HUP alarm:ALRM interrupt:INT quit:QUIT 1:USR1 2:USR2 term:TERM; do
    arrives "sv ${row%:*}" "${row#*:}" sv "${row%:*}" "$dir"
done
arrives 'sv reload' HUP sv reload "$dir"
[ "$(value pid)" = "$pid" ] || fail 'the service did not outlive these signals'

stopped() { grep -q '^State:.*T' "/proc/$pid/status"; }
svc -p "$dir"
expect 'svc -p' 'stopped && [ "$(value paused)" = 1 ]'
svstat "$dir" | grep -q ', paused' || fail "svstat of a paused service: $(svstat "$dir")"
sv status "$dir" | grep -q ', paused' || fail "sv status of a paused service: $(sv status "$dir")"
svc -c "$dir"
expect 'svc -c' '! stopped && [ "$(value paused)" = 0 ]'
sv pause "$dir" || fail 'sv pause'
expect 'sv pause' stopped
sv cont "$dir" || fail 'sv cont'
expect 'sv cont' '! stopped'

# Told to stop, and still there: runit's tools see that TERM was sent.
before=$(count TERM)
sv down "$dir" || fail 'sv down'
expect 'sv down' "[ \"\$(count TERM)\" -gt $before ] && [ \"\$(value state)\" = STOPPING ]"
sv status "$dir" | grep -q "^run: .*want down, got TERM" || fail "sv status of a service that is stopping: $(sv status "$dir")"
svstat "$dir" | grep -q 'up (pid .*, want down' || fail "svstat of a service that is stopping: $(svstat "$dir")"
! sv -w 1 stop "$dir" >"$work/said" || fail 'sv -w 1 stop: exit status 0 for a service that goes on'
grep -q '^timeout: run: ' "$work/said" || fail "sv -w 1 stop: $(cat "$work/said")"
svc -k "$dir"
expect 'svc -k' '[ "$(value pid)" = 0 ]'
sv status "$dir" | grep -q '^down: ' || fail "sv status of a service that is down: $(sv status "$dir")"
sv stop "$dir" | grep -q '^ok: down: ' || fail 'sv stop of a service that is down'

is_new() { [ "$(value pid)" != 0 ] && [ "$(value pid)" != "$pid" ] && [ "$(value state)" = RUNNING ] && pid=$(value pid); }
sv start "$dir" | grep -q '^ok: run: ' || fail 'sv start'
expect 'sv start' is_new
sv kill "$dir" || fail 'sv kill'
expect 'sv kill' is_new
sv -w 1 force-restart "$dir" >"$work/said" || :
grep -q '^kill: run: ' "$work/said" || fail "sv -w 1 force-restart: $(cat "$work/said")"
expect 'sv force-restart' is_new
sv -w 1 force-stop "$dir" >"$work/said" || :
grep -q '^kill: run: ' "$work/said" || fail "sv -w 1 force-stop: $(cat "$work/said")"
expect 'sv force-stop' '[ "$(value pid)" = 0 ]'

svc -o "$dir"
expect 'svc -o' '[ "$(value want)" = once ] && [ "$(value state)" = RUNNING ]'
sv check "$dir" >/dev/null || fail 'sv check of a service that is up'
svc -k "$dir"
expect 'svc -o, then -k' '[ "$(value pid)" = 0 ] && [ "$(value state)" = EXITED ]'
sv once "$dir" || fail 'sv once'
expect 'sv once' '[ "$(value want)" = once ] && [ "$(value state)" = RUNNING ]'
svc -u "$dir"
expect 'svc -u' '[ "$(value want)" = up ]'
svok "$dir" || fail 'svok of a supervise that runs'
svc -dxk "$dir"
expect 'svc -dx' '! svok "$dir" 2>/dev/null'
sv status "$dir" >"$work/said" 2>&1 && fail 'sv status: exit status 0 without a supervise'
grep -q 'runsv not running' "$work/said" || fail "sv status without a supervise: $(cat "$work/said")"
exit "$broken"
