#!/bin/sh
# What contrib/ and the tests hold that is not compiled: shell scripts pass shellcheck, completions offer every option,
# units pass systemd-analyze.
set -eu
. "$(dirname "$0")/common"
need_supervise
cd "$TOP"

if command -v shellcheck >/dev/null; then
    grep -rlE '^#!/bin/sh|^#!/usr/bin/env bash' contrib tests .ci | sort >"$work/scripts"
    while read -r script; do
        shellcheck -x -P SCRIPTDIR -S warning "$script" >"$work/found" || fail "$(cat "$work/found")"
        case $(head -n 1 "$script") in *bash) shell=bash ;; *) shell=dash ;; esac
        ! command -v $shell >/dev/null || $shell -n "$script" || fail "$script: $shell cannot read it"
    done <"$work/scripts"
    shellcheck -s bash -S warning contrib/completion/supervise.bash >"$work/found" || fail "$(cat "$work/found")"
else
    echo 'contrib.sh: shellcheck is not installed: the scripts were not checked'
fi

"$SUPERVISE" -h | grep -oE '(^|[ ,[|])--?[A-Za-z][a-z-]*' | sed 's/^[^-]*//' | sort -u >"$work/options"

# complete WORD...: what bash offers for the last word.
if command -v bash >/dev/null; then
    cat >"$work/complete" <<'END'
source "$TOP/contrib/completion/supervise.bash"
complete -p supervise >/dev/null || exit 1
COMP_WORDS=(supervise "$@")
COMP_CWORD=$#
_supervise supervise "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
END
    offered() { (cd "$work" && bash "$work/complete" "$@") | sort; }
    offers() {
        expected=$1
        shift
        offered "$@" | grep -qxF -e "$expected" || fail "bash completion does not offer \"$expected\" for: supervise $*"
    }
    mkdir -p "$work/status/redis"
    : >"$work/my.conf"
    offered - >"$work/offered"
    each_only_in "$work/options" "$work/offered" 'option that the bash completion does not offer'
    each_only_in "$work/offered" "$work/options" 'option that only the bash completion knows'
    offers status/redis -p status/r
    offers status/redis -n -u status/r
    offers my.conf -p status/redis -F my
    offers printf -u status/redis print
    offers my.conf -u status/redis printf my
    [ -z "$(offered -u status/redis printf -)" ] || fail 'bash completion offers its own options within the command'
fi

if command -v zsh >/dev/null; then
    zsh -n contrib/completion/_supervise || fail 'contrib/completion/_supervise: zsh cannot read it'
    head -n 1 contrib/completion/_supervise | grep -qx '#compdef supervise supervisor' || fail 'contrib/completion/_supervise: no #compdef line'
fi
while read -r option; do
    grep -qE -e "[^-a-z]$option(\[|,|\})" contrib/completion/_supervise || fail "$option: option that the zsh completion does not offer"
done <"$work/options"

if command -v systemd-analyze >/dev/null; then
    for unit in contrib/systemd/*; do
        sed "s|^\(Exec[A-Za-z]*=\)supervise-all|\1$TOP/contrib/boot/supervise-all|; s|^\(Exec[A-Za-z]*=\)supervise |\1$SUPERVISE |
             s| man:[^ ]*||g; s|^Documentation=.*||" "$unit" >"$work/$(basename "$unit")"
    done
    cp "$work/supervise@.service" "$work/supervise@redis.service"
    for unit in supervise-all.service supervise@redis.service; do
        systemd-analyze verify "$work/$unit" >"$work/found" 2>&1 || fail "$unit: $(cat "$work/found")"
        ! grep -F "$unit" "$work/found" || fail "$unit: see above"
    done
else
    echo 'contrib.sh: systemd-analyze is not installed: the units were not checked'
fi

exit "$broken"
