#!/bin/sh
# How the delivered programs are built: no segment is both writable and executable, nor is the stack, what the linker has relocated
# is read-only, and our functions guard their stack. And what is not in them: a way to a shell, and what sys/runtime.cc replaces. (_FORTIFY_SOURCE leaves no trace
# to look for: nothing of ours calls a function that it would check at run time.)
set -eu
. "$(dirname "$0")/common"
need readelf nm objdump
need_supervise

# As `make` links them, before strip; one that was installed has no symbols.
symbols=$TOP/build

check_segments() {    # program
    readelf -lW "$1" | awk '$2 ~ /^0x/ { flags = ""; for (i = 7; i < NF; ++i) flags = flags $i; print $1, flags }' >"$work/segments"
    grep -qx 'LOAD RE' "$work/segments" || fail "$1: no segment of code was found"
    ! grep -q 'W.*E' "$work/segments" || fail "$1: a segment is writable and executable"
    grep -qx 'GNU_STACK RW' "$work/segments" || fail "$1: the stack is executable"
    grep -qx 'GNU_RELRO R' "$work/segments" || fail "$1: what is relocated stays writable"
    # A static program binds no function late; another must have bound them all before main.
    readelf -dW "$1" >"$work/dynamic"
    grep -qE 'no dynamic section|NOW' "$work/dynamic" || fail "$1: functions are bound late"
}

check_symbols() {    # program with symbols
    nm "$1" | awk '{ print $NF }' >"$work/names"
    for name in system popen _IO_popen posix_spawn do_system wordexp; do
        ! grep -qx "$name" "$work/names" || fail "$1: has $name"
    done
    # What src/sys/runtime.cc puts in the place of parts of libstdc++ is what is linked, and they are not: no demangler, and no pool
    # of memory for exceptions.
    for name in _ZN9__gnu_cxx27__verbose_terminate_handlerEv __cxa_allocate_exception __cxa_free_exception; do
        [ "$(grep -cx "$name" "$work/names")" = 1 ] || fail "$1: $name is not there once"
    done
    ! grep -qE '^(__cxa_demangle|__gcclibcxx_demangle_callback|_ZN9__gnu_cxx9__freeresEv)$' "$work/names" || fail "$1: has the demangler or the pool of libstdc++"
    # Functions of ours that call the guard, and all of ours.
    objdump -d --no-show-raw-insn "$1" | awk '
        /^[0-9a-f]+ <_ZN*K*(4core|3sys|9supervise|3ctl)/ { ours = 1; ++all; next }
        /^[0-9a-f]+ </ { ours = 0 }
        ours && /<__stack_chk_fail(_local)?>/ { ++guarded }
        END { print all + 0, guarded + 0 }' >"$work/counts"
    read -r all guarded <"$work/counts"
    [ "$all" -gt 100 ] || fail "$1: only $all functions of ours were found"
    [ "$guarded" -gt 50 ] || fail "$1: only $guarded of $all functions guard their stack"
}

for program in "$SUPERVISE" "${SUPERVISECTL:-$TOP/supervisectl}"; do
    check_segments "$program"
    with_symbols=$symbols/$(basename "$program")
    if [ -e "$with_symbols" ]; then check_symbols "$with_symbols"; else fail "$with_symbols does not exist: run make first"; fi
done
exit "$broken"
