#!/bin/sh
# The whole life of a service where the system refuses a call that supervise can do without: it works, and says once what is
# missing.
set -eu
. "$(dirname "$0")/common"
need_supervise
need strace
strace -o /dev/null true 2>/dev/null || skip 'strace may not trace'
cd "$work"
printf '[global]\nstdout_logfile_maxbytes : 20KB\nstdout_logfile_backups : 1000\n' >supervise.conf
ctl=$(dirname "$SUPERVISE")/supervisectl

# The numbers from 1 on, the oldest file first.
output() { find "$1" -name '__stdout*' 2>/dev/null | sort -rV | tr '\n' '\0' | xargs -0 -r cat 2>/dev/null; }
await() {
    for _ in $(seq 400); do
        if eval "$1"; then return 0; fi
        sleep 0.05
    done
    fail "$dir: $2"
    return 1
}
pid() { sed -n 's/^pid=//p' "$dir/state"; }

# life CALL ERRNO
life() {
    dir=$work/$1-$2
    # strace(1) stays for as long as anything lives that it traces.
    start() {
        strace -f -o /dev/null -e trace="$1" -e inject="$1:error=$2" "$SUPERVISE" -F supervise.conf -u "$dir" \
            sh -c 'seq 20000; echo done; exec sleep 1000' >/dev/null 2>&1 &
    }
    start "$1" "$2"
    await '[ "$(output "$dir" | tail -n 1)" = done ]' 'no output' || return 0
    output "$dir" | head -n 20000 >"$dir.output"
    seq 20000 | cmp - "$dir.output" || fail "$dir: the output is wrong"
    [ "$(ls "$dir"/__stdout* | wc -l)" -gt 3 ] || fail "$dir: not rotated"
    kill -9 "$(pid)"
    await '[ "$(output "$dir" | grep -c done)" -ge 2 ]' 'not started again' || return 0
    "$ctl" -d "$work" stop "$(basename "$dir")" >/dev/null || fail "$dir: cannot be stopped"
    "$ctl" -d "$work" start "$(basename "$dir")" >/dev/null || fail "$dir: cannot be started"
    await '[ "$(output "$dir" | grep -c done)" -ge 3 ]' 'not started after u' || return 0
    service=$(pid)
    kill -9 "$(sed -n 's/^supervise_pid=//p' "$dir/state")"
    start "$1" "$2"
    await '[ "$(grep -c "supervise started" "$dir/supervise.log")" -eq 2 ] && "$ctl" -d "$work" status "$(basename "$dir")" >/dev/null' 'does not start again' || return 0
    [ "$(pid)" = "$service" ] || fail "$dir: the service is not adopted"
    grep -q "this system refuses .*$1" "$dir/supervise.log" || fail "$dir: what is missing is not said"
    [ "$(grep -c "this system refuses" "$dir/supervise.log")" -le 2 ] || fail "$dir: what is missing is said too often"
    "$ctl" -d "$work" exit "$(basename "$dir")" >/dev/null || fail "$dir: cannot be ended"
}

n=0
for call in splice tee close_range renameat2 pidfd_open prctl; do
    n=$((n + 1))
    for error in EPERM ENOSYS EINVAL; do
        # Each with one of them each time; ALL=1: with each.
        case $((n % 3)):$error in 0:EPERM | 1:ENOSYS | 2:EINVAL) ;; *) [ -n "${ALL:-}" ] || continue ;; esac
        life "$call" "$error"
    done
done
exit "$broken"
