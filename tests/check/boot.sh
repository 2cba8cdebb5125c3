#!/bin/sh
# The boot script, the SysV script and the crontab of contrib/ really start, list, reload and end services.
set -eu
. "$(dirname "$0")/common"
need_supervise
need fuser

root=$work/root
mkdir -p "$work/bin" "$root/beta" "$root/gamma" "$root/idle" "$work/home/app" "$work/home/bin"
ln -s "$SUPERVISE" "$work/bin/supervise"
ln -s "$TOP/contrib/boot/supervise-all" "$work/bin/supervise-all"
PATH=$work/bin:$PATH
unset SUPERVISE_ROOT SUPERVISE_CONF
program=$SUPERVISE
unset SUPERVISE

# alpha and beta have a section; beta has a run as well; gamma has only a run; empty has no command; idle is kept down.
cat >"$work/conf" <<END
[global]
stopwaitsecs : 5
[alpha]
command : sleep 1000
[beta]
command = sleep 2000
[empty]
stopwaitsecs : 7
END
for name in beta gamma idle; do
    printf '#!/bin/sh\necho "$PWD"\nexec sleep 3000\n' >"$root/$name/run"
    chmod +x "$root/$name/run"
done
: >"$root/idle/down"

pid() { od -An -j16 -N4 -tu4 "$root/$1/status" | tr -d ' '; }
args() { ps -o args= -p "$(pid "$1")"; }
is() { [ "$2" = "$3" ] || fail "$1: \"$2\" instead of \"$3\""; }
status_of() { "$@" >"$work/out" 2>&1 && echo 0 || echo $?; }
expect() {
    expected=$1
    shift
    is "status of $*" "$(status_of "$@")" "$expected"
}
running() { ! wait_for "grep -qE '^state=(STARTING|RUNNING)' '$root/$1/state'" || return 0; fail "$1 is not running"; }

# supervise-all
expect 3 supervise-all -l "$root"
expect 3 supervise-all -k "$root"
expect 2 supervise-all -z
expect 2 supervise-all one two
expect 1 supervise-all -F "$work/none" "$root"
expect 0 supervise-all -F "$work/conf" "$root"
for name in alpha beta gamma; do running "$name"; done
is 'command of alpha' "$(args alpha)" 'sleep 1000'
is 'command of beta' "$(args beta)" 'sleep 2000'
is 'command of gamma' "$(args gamma)" 'sleep 3000'
is 'directory of gamma' "$(cat "$root/gamma/__stdout")" "$root/gamma"
[ ! -e "$root/empty" ] || fail 'a section without a command was started'
[ ! -e "$root/idle/lock" ] || fail 'a service with a file down was started'
before=$(pid alpha)
expect 0 supervise-all -F "$work/conf" "$root"
is 'pid of alpha after a second supervise-all' "$(pid alpha)" "$before"
expect 0 supervise-all -l "$root"
grep -Eq "^alpha +(STARTING|RUNNING) +$before\$" "$work/out" || fail "supervise-all -l prints: $(cat "$work/out")"
grep -Eq '^idle +not supervised$' "$work/out" || fail "supervise-all -l prints: $(cat "$work/out")"
expect 0 supervise-all -c d "$root"
for name in alpha beta gamma; do
    wait_for "grep -qx state=STOPPED '$root/$name/state'" || fail "$name is not down after supervise-all -c d"
done
expect 0 supervise-all -k "$root"
for name in alpha beta gamma; do ! fuser -s "$root/$name/lock" 2>/dev/null || fail "$name is still supervised"; done
expect 3 supervise-all -l "$root"

# A section that cannot be started is reported and does not keep the others from starting.
printf '[broken]\ncommand : sleep 1\nstartsecs : soon\n[alpha]\ncommand : sleep 1000\n' >"$work/faulty"
expect 1 supervise-all -F "$work/faulty" "$root"
grep -q 'broken was not started' "$work/out" || fail "supervise-all with a faulty section prints: $(cat "$work/out")"
running alpha
expect 0 supervise-all -k "$root"

# Root does not run what another user can change.
if [ "$(id -u)" = 0 ]; then
    mkdir "$root/strange"
    printf '#!/bin/sh\necho run >ran; exec sleep 3000\n' >"$root/strange/run"
    chmod +x "$root/strange/run"
    chown 65534 "$root/strange"
    expect 1 supervise-all -F "$work/conf" "$root"
    grep -q 'strange was not started: others' "$work/out" || fail "supervise-all with a run file of another user prints: $(cat "$work/out")"
    [ ! -e "$root/strange/ran" ] || fail 'supervise-all has run the file of another user'
    rm -r "$root/strange"
    expect 0 supervise-all -k "$root"
fi

# A service that does not end in time is named.
printf '#!/bin/sh\ntrap "" TERM\necho ready\nwhile :; do sleep 1; done\n' >"$root/gamma/run"
expect 0 supervise-all -F "$work/conf" "$root"
running gamma
wait_for "grep -q ready '$root/gamma/__stdout'" || fail 'gamma does not ignore TERM'
expect 1 supervise-all -k -w 1 "$root"
grep -q 'gamma has not ended' "$work/out" || fail "supervise-all -k prints: $(cat "$work/out")"
wait_for "! fuser -s '$root/gamma/lock' 2>/dev/null" || fail 'gamma is not ended after stopwaitsecs'
printf '#!/bin/sh\nexec sleep 3000\n' >"$root/gamma/run"

# SysV
cat >"$work/default" <<END
SUPERVISE_ROOT=$root
SUPERVISE_CONF=$work/conf
SUPERVISE=$program
STOP_SECONDS=20
END
sysv() { env -i SUPERVISE_PATH="$work/bin:/usr/sbin:/usr/bin:/sbin:/bin" SUPERVISE_DEFAULTS="$work/default" "$TOP/contrib/sysv/supervise" "$@"; }
expect 3 sysv status
expect 0 sysv stop
expect 7 sysv reload
expect 0 sysv try-restart
expect 3 sysv status
expect 0 sysv start
expect 0 sysv start
expect 0 sysv status
for name in alpha beta gamma; do running "$name"; done
before=$(pid alpha)
expect 0 sysv restart
running alpha
[ "$(pid alpha)" != "$before" ] || fail 'sysv restart: alpha has the same pid'
before=$(pid alpha)
sed -i 's/stopwaitsecs : 5/stopwaitsecs : 6/' "$work/conf"
expect 0 sysv reload
expect 0 sysv force-reload
is 'pid of alpha after a reload' "$(pid alpha)" "$before"
expect 0 sysv try-restart
expect 0 sysv stop
expect 3 sysv status
expect 2 sysv
expect 2 sysv dance
expect 4 env SUPERVISE_PATH=/nonexistent /bin/sh "$TOP/contrib/sysv/supervise" status
expect 5 env SUPERVISE_PATH=/nonexistent /bin/sh "$TOP/contrib/sysv/supervise" start
sed -n '/^### BEGIN INIT INFO$/,/^### END INIT INFO$/p' "$TOP/contrib/sysv/supervise" >"$work/lsb"
for header in Provides Required-Start Required-Stop Default-Start Default-Stop Short-Description; do
    grep -qE "^# $header: +[^ ]" "$work/lsb" || fail "sysv/supervise: no $header in its LSB header"
done

# cron: every @reboot line, those that are commented out too, in cron's environment; root's service directory is ours.
cp "$work/conf" "$work/home/app/supervise.conf"
printf '[app]\ncommand : sleep 4000\n' >>"$work/home/app/supervise.conf"
printf '#!/bin/sh\nexec sleep 5000\n' >"$work/home/bin/web"
chmod +x "$work/home/bin/web"
! grep -vE '^($|#|[A-Z]+=|@reboot [^%]+$)' "$TOP/contrib/cron.reboot" || fail 'cron.reboot: lines that cron would not take'
sed -n 's/^#*@reboot //p' "$TOP/contrib/cron.reboot" | sed "s|/var/lib/supervise|$root|" >"$work/lines"
[ "$(wc -l <"$work/lines")" -ge 3 ] || fail 'cron.reboot: fewer than three lines'
while IFS= read -r line; do
    (broken=0 && cd "$work/home" && expect 0 env -i HOME="$work/home" LOGNAME=me SHELL=/bin/sh SUPERVISE_CONF="$work/conf" \
        PATH="$work/bin:/usr/bin:/bin" /bin/sh -c "$line" </dev/null
     exit "$broken") || fail "cron.reboot: $line: $(cat "$work/out")"
done <"$work/lines"
for state in "$work/home/app/status/app" "$work/home/status/web" "$root/gamma"; do
    wait_for "grep -qE '^state=(STARTING|RUNNING)' '$state/state'" || fail "cron.reboot: $state is not running"
done

exit "$broken"
