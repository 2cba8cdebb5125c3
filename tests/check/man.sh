#!/bin/sh
# The man pages have no fault that mandoc's lint knows, and say neither less nor more than the program: its options, its
# control letters, its configuration keys and the keys of `state`.
set -eu
. "$(dirname "$0")/common"
need_supervise
need mandoc
cd "$TOP/man"

# Which other manuals are installed here is no fault of the page.
for page in *.[1-9]; do
    mandoc -T lint -W style "$page" 2>/dev/null | grep -v 'referenced manual not found' >"$work/lint" || :
    [ ! -s "$work/lint" ] || fail "$(cat "$work/lint")"
done
sed -n 's/^\.Xr \(supervise[^ ]*\) \([0-9]\).*/\1.\2/p' ./* | sort -u >"$work/referenced"
while read -r page; do [ -f "$page" ] || fail "a page refers to $page, which does not exist"; done <"$work/referenced"

# The terms of a page's lists: `.It Ic start , stop` is two.
terms() { sed -n "s/^\.It $2 //p" "$1" | sed "s/ Ar .*//; s/ , $2 / /g; s/ , / /g" | tr ' ' '\n' | sort -u; }

"$SUPERVISE" -h >"$work/help"
grep -oE '(^|[ ,[|])--?[A-Za-z][a-z-]*' "$work/help" | sed 's/^[^-]*-//' | sort -u >"$work/options"
terms supervise.8 Fl >"$work/options.man"
each_only_in "$work/options" "$work/options.man" 'option of supervise -h that is not in supervise.8'
each_only_in "$work/options.man" "$work/options" 'option of supervise.8 that is not in supervise -h'

sed -n 's/^  *\([a-zA-Z0-9]\)  *[a-z].*/\1/p' "$work/help" | sort -u >"$work/letters"
[ "$(wc -l <"$work/letters")" -ge 18 ] || fail "supervise -h shows only these letters: $(tr '\n' ' ' <"$work/letters")"
terms supervise.8 Ic | grep -x . >"$work/letters.man"
each_only_in "$work/letters" "$work/letters.man" 'control letter of supervise -h that is not in supervise.8'
each_only_in "$work/letters.man" "$work/letters" 'control letter of supervise.8 that is not in supervise -h'

(cd "$work" && "$SUPERVISE" --check) | sed -n 's/^\([a-z_]*\) *:.*/\1/p' | sort -u >"$work/keys"
[ -s "$work/keys" ] || fail 'supervise --check prints no key'
terms supervise.conf.5 Ic >"$work/keys.man"
each_only_in "$work/keys" "$work/keys.man" 'key of supervise --check that is not in supervise.conf.5'
each_only_in "$work/keys.man" "$work/keys" 'key of supervise.conf.5 that supervise --check does not print'

"$SUPERVISE" -u "$work/status/sleeper" sleep 1000
sed -n 's/=.*//p' "$work/status/sleeper/state" | sort -u >"$work/state"
terms supervise-status.5 Ic >"$work/state.man"
each_only_in "$work/state" "$work/state.man" 'key of state that is not in supervise-status.5'
each_only_in "$work/state.man" "$work/state" 'key of supervise-status.5 that is not in state'

# Every entry of a status directory has its place in supervise-status.5.
find "$work/status/sleeper" -mindepth 1 -maxdepth 1 -printf '%P\n' | sort >"$work/entries"
terms supervise-status.5 Pa | sed 's|/$||' | sort -u >"$work/entries.man"
each_only_in "$work/entries" "$work/entries.man" 'entry of a status directory that is not in supervise-status.5'

exit "$broken"
