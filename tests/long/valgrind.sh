#!/bin/sh
# A day in the life of a service, of the wrapper and of supervisectl under valgrind: no error, no leak, and no descriptor left
# open. The programs are built without vfork, as valgrind shares no memory between processes.
set -eu
. "$(dirname "$0")/../check/common"
need valgrind fuser
program=${SUPERVISE_VALGRIND:-$TOP/build/valgrind/supervise}
service=${SERVICE:-$TOP/build/tests/service}
[ -x "$program" ] || skip "$program does not exist"
[ -x "$service" ] || skip "$service does not exist"

mkdir "$work/reports" "$work/day"
cd "$work/day"
# What supervise forks is followed, and itself in another program's place (E); what else it executes is not.
under() {
    sh -c 'echo $$ >>"$0"; exec "$@"' "$work/mains" valgrind -q --track-fds=yes --leak-check=full --child-silent-after-fork=no \
        --trace-children=yes --trace-children-skip='/bin/*,/usr/bin/*,*/service,*/alarm' --log-file="$work/reports/%p" "$@"
}

state() { sed -n "s/^$1=//p" status/svc/state 2>/dev/null; }
await() { wait_for "[ \"\$(state $1)\" = \"$2\" ]" || fail "$1 is not $2: $(cat status/svc/state status/svc/supervise.log)"; }
await_log() { wait_for "grep -q '$1' status/svc/supervise.log" || fail "not in the log: $1"; }
await_new() { wait_for "[ \"\$(state pid)\" -gt 0 ] && [ \"\$(state pid)\" != $1 ] && [ \"\$(state state)\" = RUNNING ]" || fail "no new process: $(cat status/svc/state status/svc/supervise.log)"; }
reload() {
    # shellcheck disable=SC2034  # the condition is evaluated later
    reloads=$(grep -c 'configuration read again' status/svc/supervise.log || :)
    letters r
    wait_for '[ "$(grep -c "configuration read again" status/svc/supervise.log)" -gt "$reloads" ]' || fail 'the configuration was not read again'
}
letters() { printf %s "$1" >status/svc/control; }

printf '#!/bin/sh\necho alarm >>alarms\n' >alarm
chmod +x alarm
configure() {
    cat >supervise.conf <<END
[global]
alarm_interval : 60
alarm_command : $PWD/alarm
alarm_mail :
log_processor : cat
kill_tree : true
[svc]
notify : true
command : $1
END
}
good="$service out hello err oops notify READY=1 notify STATUS=well child 1 session"
configure "$good"

# It is ready, dies and is started again, which raises an alarm.
under "$program" -n -p status/svc &
await state RUNNING
await status well
first=$(state pid)
letters k
await_new "$first"
wait_for '[ -s alarms ]' || fail 'no alarm was raised'

# Every letter that does no more than signal, and some that mean nothing.
letters 'spcn!?'
await_log 'control: spcn'
letters l
wait_for 'ls status/svc/__stdout.1* >/dev/null 2>&1' || fail 'the log was not rotated'

# A configuration that is wrong, one whose command cannot be run, a good one again.
configure "$good"
echo 'nonsense : 1' >>supervise.conf
reload
await_log nonsense
configure ./missing
reload
letters k
await state BACKOFF
configure "$good"
reload
await state RUNNING
letters d
await state STOPPED
letters o
await state RUNNING
letters u

# Killed while the service runs: the next one adopts it, goes on as another program, and ends.
service_pid=$(state pid)
kill -KILL "$(state supervise_pid)"
wait $! 2>/dev/null || :
under "$program" -p status/svc || fail 'the second supervise did not start'
await_log adopted
# Under valgrind on a busy machine the new program may need longer for its answer than supervise waits.
goes_on() { grep -q 'goes on as' status/svc/supervise.log; }
for attempt in 1 2 3; do
    goes_on || letters E
    wait_for "goes_on || [ \"\$(grep -c 'did not answer' status/svc/supervise.log)\" -ge $attempt ]" || :
done
goes_on || fail "no upgrade: $(cat status/svc/supervise.log)"
[ "$(state pid)" = "$service_pid" ] || fail 'the service is not the one that was adopted'
letters k
await_new "$service_pid"

supervise=$(state supervise_pid)
echo "$supervise" >>"$work/mains"
letters dx
wait_for "! kill -0 $supervise 2>/dev/null" || fail 'supervise did not end'

# The wrapper.
status=0
under "$program" --max-restarts 1 "$service" out hello exit 3 >out 2>&1 || status=$?
[ "$status" = 3 ] || fail "the wrapper ended with $status: $(cat out)"

# The client, of a supervise without valgrind, whose command line it may ask for.
"$program" -p status/svc
await status well
for words in status 'status --json' metrics 'stop svc' 'start svc' 'signal HUP svc' 'tail svc' 'config svc' 'reload svc' 'exit svc'; do
    # shellcheck disable=SC2086  # words
    under "$(dirname "$program")/supervisectl" $words >out 2>&1 </dev/null || fail "supervisectl $words: $(cat out)"
done

# In a report: paragraphs of errors, and of descriptors that are open. Those who leave main have closed what they have opened. A copy
# that ends by _exit has what supervise had opened before, and nothing of its own. A line with -- is of a call that valgrind lacks.
for report in "$work/reports"/*; do
    pid=$(basename "$report")
    grep -qx "$pid" "$work/mains" && own=. || own='Logger::|LogWriter::|LogProcessor::'
    sed -e '/^--[0-9]*--/d' -e 's/^==[0-9]*== \{0,1\}//' "$report" | awk -v RS= -v own="$own" '
        !/^(FILE DESCRIPTORS|Open )/ || ($0 ~ own && /Open / && !/inherited from parent/ && !/Launch::detach/) { print "\n" $0 }' >"$work/found"
    [ ! -s "$work/found" ] || fail "process $pid: $(cat "$work/found")"
done
exit "$broken"
