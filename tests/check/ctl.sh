#!/bin/sh
# What derives from supervisectl's table of commands and stands in files is as the program prints it; the completions work;
# what contrib has around supervisectl does what it says; the transcript in the README is one.
set -eu
. "$(dirname "$0")/common"
need_supervise
SUPERVISECTL=${SUPERVISECTL:-$TOP/supervisectl}
export SUPERVISECTL
[ -x "$SUPERVISECTL" ] || { echo "$SUPERVISECTL does not exist: run make first"; exit 1; }
cd "$TOP"

same() { cmp -s "$1" "$2" || fail "$2 is not what $3 prints: run \`make generated\`"; }
"$SUPERVISECTL" help bash >"$work/bash"
"$SUPERVISECTL" help zsh >"$work/zsh"
"$SUPERVISECTL" help mdoc >"$work/mdoc"
sed -n '/^\.\\" begin/,/^\.\\" end/{/^\.\\"/!p;}' man/supervisectl.1 >"$work/in-manual"
same "$work/bash" contrib/completion/supervisectl.bash 'supervisectl help bash'
same "$work/zsh" contrib/completion/_supervisectl 'supervisectl help zsh'
same "$work/mdoc" "$work/in-manual" 'supervisectl help mdoc'

# A root with two services, one of them running.
mkdir -p "$work/status/web-2/supervise" "$work/bin"
ln -s "$SUPERVISE" "$work/bin/supervise"
ln -s "$SUPERVISECTL" "$work/bin/supervisectl"
PATH=$work/bin:$PATH
export PATH
supervise -u "$work/status/web-1" sleep 1000

if command -v bash >/dev/null; then
    ! command -v shellcheck >/dev/null || shellcheck -s bash -S warning contrib/completion/supervisectl.bash >"$work/found" || fail "$(cat "$work/found")"
    cat >"$work/complete" <<'END'
source "$TOP/contrib/completion/supervisectl.bash"
complete -p supervisectl >/dev/null || exit 1
COMP_WORDS=(supervisectl "$@")
COMP_CWORD=$#
_supervisectl supervisectl "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
END
    offered() { (cd "$work" && bash "$work/complete" "$@") | sort | paste -sd ' ' -; }
    expect() {
        expected=$1
        shift
        [ "$(offered "$@")" = "$expected" ] || fail "bash completion offers \"$(offered "$@")\" and not \"$expected\" for: supervisectl $*"
    }
    expect 'start status stop' st
    expect 'web-1 web-2' restart web
    mkdir -p "$work/status/\$(touch pwned)/supervise"
    expect '\$\(touch\ pwned\)' stop '$'
    [ ! -e "$work/pwned" ] || fail 'bash completion has executed a name'
    rmdir "$work/status/\$(touch pwned)/supervise" "$work/status/\$(touch pwned)"
    expect 'all' stop al
    expect 'web-1 web-2' -d status stop w
    expect 'off on' alarm o
    expect 'web-1 web-2' alarm off w
    expect 'HUP' signal H
    expect 'change' wait c
    expect 'stderr stdout' tail web-1 std
    expect 'restart' help rest
    expect '--rolling --root' restart --ro
    expect '' stop -t ''
fi
if command -v zsh >/dev/null; then
    zsh -n contrib/completion/_supervisectl || fail 'contrib/completion/_supervisectl: zsh cannot read it'
fi

# The predecessor's form.
svc() { contrib/svc "$work/status/web-1" "$@"; }
state() { sed -n 's/^state=//p' "$work/status/web-1/state"; }
expect_svc() {
    expected=$1
    shift
    said=$(svc "$@" 2>&1) || fail "svc STATUSDIR $*: exit status $?"
    printf '%s\n' "$said" | grep -q "$expected" || fail "svc STATUSDIR $*: says \"$said\" and not \"$expected\""
}
expect_svc ': stopped$' stop
[ "$(state)" = STOPPED ] || fail 'svc STATUSDIR stop has not stopped it'
expect_svc ': running (pid [0-9]*)$' start
expect_svc ': restarted (pid [0-9]*)$' restart
expect_svc ': alarms off$' alarm off
grep -qx 'alarm=off' "$work/status/web-1/state" || fail 'svc STATUSDIR alarm off has not switched it off'
expect_svc ': alarms on$' alarm on
expect_svc ': configuration read again; ' reconf
expect_svc 'RUNNING' status
for wrong in '' frob 'alarm maybe' 'stop now'; do
    # shellcheck disable=SC2086  # words
    status=0
    svc $wrong >/dev/null 2>&1 || status=$?
    [ "$status" = 2 ] || fail "svc STATUSDIR $wrong: exit status $status and not 2"
done

# Monitoring.
SUPERVISE_ROOT=$work/status
export SUPERVISE_ROOT
contrib/monitoring/supervise-metrics "$work/supervise.prom" || fail 'supervise-metrics failed'
grep -qx 'supervise_up{service="web-1"} 1' "$work/supervise.prom" || fail 'supervise-metrics has not written what supervisectl metrics prints'
before=$(cat "$work/supervise.prom")
! SUPERVISE_ROOT=$work/nowhere contrib/monitoring/supervise-metrics "$work/supervise.prom" 2>/dev/null || fail 'supervise-metrics without a root succeeded'
[ "$(cat "$work/supervise.prom")" = "$before" ] || fail 'supervise-metrics without a root has replaced the file'
if command -v promtool >/dev/null; then
    promtool check metrics <"$work/supervise.prom" >"$work/found" 2>&1 || fail "$(cat "$work/found")"
    promtool check rules contrib/monitoring/alerts.yml >"$work/found" 2>&1 || fail "$(cat "$work/found")"
fi
# Every metric that the rules and the dashboard ask for is one.
sed -n 's/^# TYPE \([a-z_]*\) .*/\1/p' "$work/supervise.prom" | sort -u >"$work/known"
grep -oh 'supervise_[a-z_]*' contrib/monitoring/alerts.yml contrib/monitoring/dashboard.json | sort -u >"$work/asked"
each_only_in "$work/asked" "$work/known" 'metric that contrib/monitoring asks for and supervisectl does not print'
! command -v python3 >/dev/null || python3 -m json.tool contrib/monitoring/dashboard.json >/dev/null || fail 'contrib/monitoring/dashboard.json is no JSON'

# Which of several services is done first is left to them.
plain() { sed 's/[0-9][0-9]*/N/g' | tr -s ' ' | sort; }
awk '/^<!-- tour/ { marked = 1; next } marked && /^```/ { if (inside) exit; inside = 1; next } inside' README.md | plain >"$work/shown"
(unset SUPERVISE_ROOT; contrib/tour) >"$work/toured" 2>&1 || fail 'contrib/tour failed'
plain <"$work/toured" | cmp -s - "$work/shown" || fail "contrib/tour prints not what README.md shows: $(cat "$work/toured")"

svc exit >/dev/null || fail 'svc STATUSDIR exit failed'
exit "$broken"
