#!/bin/sh
# supervise.conf.example is a valid configuration that shows every key, and status.example is what supervise-status(5)
# says.
set -eu
. "$(dirname "$0")/common"
need_supervise
cd "$TOP"

conf=supervise.conf.example
# What the example names need not be there.
absent='is no program that can be executed|cannot be changed to: No such file|cannot be read: No such file|stands after \[import\]|has no effect without'
checks() {
    "$SUPERVISE" --check -F "$conf" "$@" >"$work/settings" 2>"$work/complaints" || :
    ! grep -vE "$absent" "$work/complaints" >"$work/others" || fail "supervise --check -F $conf $*: $(cat "$work/others")"
}
checks
for name in $(sed -n 's/^\[\(.*\)\]$/\1/p' "$conf" | grep -vx global); do checks -p "status/$name"; done
sed -n 's/^\([a-z_]*\) *:.*/\1/p' "$work/settings" >"$work/keys"
while read -r key; do grep -qE "^#?$key :( |\$)" "$conf" || fail "$conf does not show the key $key"; done <"$work/keys"

# The settings that are commented out are valid as well.
sed 's/^#\([a-z_]* :\)/\1/' "$conf" | awk '/^\[/ { delete seen } { key = $1 } /^[a-z_]+ : / && seen[key]++ { next } 1' >"$work/all.conf"
conf=$work/all.conf
checks

# A byte or number of a file: number FILE OFFSET SIZE
number() { od -An -j"$2" -N"$3" -tu"$3" "$1" | tr -d ' '; }
text() { od -An -j"$2" -N1 -c "$1" | tr -d ' '; }
value() { sed -n "s/^$1=//p" status.example/state; }
is() { [ "$2" = "$3" ] || fail "status.example: $1 is \"$2\", not \"$3\""; }
pid=$(value pid)
for file in status supervise/status; do is "size of $file" "$(wc -c <"status.example/$file")" 20; done
started=$(value started)
is 'first byte of status' "$(number status.example/status 0 1)" 64
seconds=$(od -An -j4 -N4 -tu1 status.example/status | awk '{ print (($1 * 256 + $2) * 256 + $3) * 256 + $4 }')
is 'time of status' $((seconds - 10)) "${started%.*}"
is 'paused of status' "$(number status.example/status 12 1)" 0
is 'wanted of status' "$(text status.example/status 13)" u
is 'alarm of status' "$(text status.example/status 14)" o
is 'byte 15 of status' "$(number status.example/status 15 1)" 0
is 'pid of status' "$(od --endian=little -An -j16 -N4 -tu4 status.example/status | tr -d ' ')" "$pid"
is 'time of supervise/status' "$(od -An -N12 -tx1 status.example/supervise/status)" "$(od -An -N12 -tx1 status.example/status)"
is 'pid of supervise/status' "$(od --endian=little -An -j12 -N4 -tu4 status.example/supervise/status | tr -d ' ')" "$pid"
is 'rest of supervise/status' "$(od -An -j16 -tx1 status.example/supervise/status)" ' 00 75 00 01'
is state "$(value state)" RUNNING
grep -q "service started, pid $pid\$" status.example/supervise.log || fail 'status.example: the pid is not in supervise.log'
! grep -vE '^\[(NOTICE|WARNING|FATAL)\] [0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} [^ ]' status.example/supervise.log ||
    fail 'status.example: supervise.log has lines of another form'
grep -E '^\[(WARNING|FATAL)\]' status.example/supervise.log | cmp -s - status.example/supervise.log.wf ||
    fail 'status.example: supervise.log.wf is not the warnings of supervise.log'

# The same entries, FIFOs and links aside, as a real one has.
"$SUPERVISE" -u "$work/status/sleeper" sleep 1000
wait_for "[ -e '$work/status/sleeper/__stdout' ] && [ -e '$work/status/sleeper/__stderr' ]" || fail 'no logs'
(cd "$work/status/sleeper" && find . -type f ! -name '.?*' | sort) >"$work/real"
(cd status.example && find . -type f ! -name README.md | sort) >"$work/example"
each_only_in "$work/real" "$work/example" 'entry of a status directory that status.example lacks'
each_only_in "$work/example" "$work/real" 'file in status.example that a status directory does not have'
cut -d= -f1 "$work/status/sleeper/state" >"$work/real"
cut -d= -f1 status.example/state >"$work/example"
cmp -s "$work/real" "$work/example" || fail "status.example: state has other keys than a real one: $(diff "$work/real" "$work/example")"

exit "$broken"
