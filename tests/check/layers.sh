#!/bin/sh
# The arrows of the architecture: core <- sys <- supervise, and core <- sys <- ctl. core knows nothing of POSIX; only sys
# includes the system's headers.
set -eu
. "$(dirname "$0")/common"
cd "$TOP/src"

# allowed LAYER PREFIX...: every quoted include of the layer begins with one of the prefixes.
allowed() {
    layer=$1
    shift
    [ -d "$layer" ] || return 0
    pattern=$(printf '%s/|' "$@")
    grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' "$layer" | grep -vE "\"(${pattern%|})" >"$work/arrows" || :
    while IFS= read -r line; do fail "src/$line: $layer may include $* only"; done <"$work/arrows"
}
allowed core core
allowed sys core sys
allowed supervise core sys supervise
allowed ctl core sys ctl

# A header of the standard library has no suffix and no folder; <csignal> and <cerrno> are such. What has one is the
# system's, and what the standard library has for the system's purposes stays out of the core as well.
grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*<' . | sed 's|^\./||' >"$work/system"
grep -v '^sys/' "$work/system" | grep -E '<[^>]*[./][^>]*>' >"$work/posix" || :
while IFS= read -r line; do fail "src/$line: only sys includes headers of the system"; done <"$work/posix"
grep '^core/' "$work/system" | grep -E '<(filesystem|thread|mutex|fstream|iostream|cstdio|ctime|locale)>' >"$work/impure" || :
while IFS= read -r line; do fail "src/$line: core reads no clock and no file, and starts nothing"; done <"$work/impure"
grep -E '<(iostream|fstream|sstream|locale|regex)>' "$work/system" >"$work/heavy" || :
while IFS= read -r line; do fail "src/$line: neither iostream nor locale belongs in these programs"; done <"$work/heavy"

exit "$broken"
