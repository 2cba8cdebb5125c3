#!/bin/sh
# The README files keep their word: links lead to files that exist, make targets and options exist, and the first session
# that README.md shows, run line by line, prints what is printed there (numbers aside).
set -eu
. "$(dirname "$0")/common"
need_supervise
cd "$TOP"

git ls-files -z --cached --others --exclude-standard -- '*.md' 2>/dev/null | tr '\0' '\n' >"$work/pages"
[ -s "$work/pages" ] || find . -name '*.md' ! -path './build/*' >"$work/pages"
while read -r page; do
    [ -f "$page" ] || continue
    grep -oE '\]\([^)#]+' "$page" | sed 's/^](//' | grep -vE '^[a-z]+:' >"$work/links" || :
    while read -r link; do
        [ -e "$(dirname "$page")/$link" ] || fail "$page: link to $link, which does not exist"
    done <"$work/links"

    # Code is what stands between backquotes, in a fenced block, or indented by four blanks.
    { awk '/^```/ { code = !code; next } code || /^    /' "$page" | sed 's/ # .*//'; grep -o '`[^`]*`' "$page" | tr -d '`'; } >"$work/code" || :
    grep -oE '(^|[ $#])make( +[A-Z]+=[^ ]*)*( +-[^ ]*)*( +[a-z][a-z/-]*)+' "$work/code" | sed 's/.*make//' | tr ' ' '\n' |
        grep -xE '[a-z][a-z-]*' | sort -u >"$work/targets" || :
    while read -r target; do
        grep -qE "^([^#:=]* )?$target( [^:=]*)?:([^=]|$)" Makefile || fail "$page: make $target: no such target"
    done <"$work/targets"
    grep -oE '(^|[ $#/])supervise( +-[^ ]+| +[^-][^ ]*)*' "$work/code" | awk '{
        for (i = 2; i <= NF; i++) {
            if ($i ~ /^-/) print $i
            if ($i == "-u" || $i !~ /^-/) break
            if ($i ~ /^-[pfFrt]$/ || $i ~ /^--(timeout|initial-check-delay|heartbeat-file|grace-period|max-restarts|backoff-.*)$/) i++
        } }' | sort -u >"$work/options"
    "$SUPERVISE" -h >"$work/help"
    while read -r option; do
        grep -qE -e "(^|[^-a-z])$option([^-a-z]|\$)" "$work/help" || fail "$page: supervise $option: no such option"
    done <"$work/options"
    grep -oE '(contrib|tests|src|man|status\.example)/[A-Za-z0-9_./@-]*[A-Za-z0-9_]' "$work/code" | sort -u >"$work/paths" || :
    while read -r path; do
        [ -e "$path" ] || [ -e "$(dirname "$page")/$path" ] || fail "$page: $path does not exist"
    done <"$work/paths"
done <"$work/pages"

# The session after the mark. A command without output is run once; one with output until it prints what is shown.
awk '/^<!-- session/ { marked = 1; next } marked && /^```/ { if (inside) exit; inside = 1; next } inside' README.md >"$work/session"
[ -s "$work/session" ] || fail 'README.md: no session is marked'
if command -v redis-server >/dev/null; then
    mkdir "$work/session.dir"
    cd "$work/session.dir"
    PATH=$(dirname "$SUPERVISE"):$PATH
    awk -v dir="$work" '/^\$ / { n++; print substr($0, 3) >(dir "/command." n); next } { print >>(dir "/shown." n) }' "$work/session"
    same() {
        # shellcheck source=/dev/null
        . "$work/command.$n" >"$work/printed" 2>&1 || :
        sed 's/[0-9][0-9]*/N/g' "$work/printed" | tr -s ' ' | cmp -s - "$work/expected"
    }
    n=1
    while [ -f "$work/command.$n" ]; do
        if [ -f "$work/shown.$n" ]; then
            sed 's/[0-9][0-9]*/N/g' "$work/shown.$n" | tr -s ' ' >"$work/expected"
            wait_for same || fail "README.md: $(cat "$work/command.$n") prints: $(cat "$work/printed")"
        else
            # shellcheck source=/dev/null
            . "$work/command.$n" >"$work/printed" 2>&1 || fail "README.md: $(cat "$work/command.$n") fails: $(cat "$work/printed")"
        fi
        n=$((n + 1))
    done
    [ "$n" -gt 5 ] || fail "README.md: only $((n - 1)) commands in the session"
else
    echo 'readme.sh: redis-server is not installed: the session was not run'
fi

exit "$broken"
