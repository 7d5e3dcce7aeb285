#!/bin/sh
# What the stand-ins for DOSEmu 1.4 and dosemu2 have in common: the screen, the keys, and the DOS that follows the batch
# file of the floppy line by line and plays the stand-in for GHOST.EXE itself. Its image is gzip's format.
#
# It is read by one of them, which sets $name (what it says it is), $log_file, $floppy, $disk, $raw (yes: scan codes
# and not characters) and $mapped (folders that LREDIR may show, with a space around each; "any" without such a list),
# and then calls take_terminal and boot. The exit status is always 0.
# shellcheck disable=SC2154  # those are set there

log() { printf '%s\n' "$*" >>"$log_file"; }
error() { log "ERROR: $*"; leave; }
say() { printf '%s\r\n' "$*" >/dev/tty; }

# What the keyboard gives (KDGKBMODE and KDSKBMODE of linux/kd.h): scan codes (0), or characters.
keyboard_mode() { perl -e 'ioctl(STDIN, 0x4B44, $m = pack("i", 0)) or die "$!"; print unpack("i", $m)' </dev/tty; }
set_keyboard_mode() { perl -e 'ioctl(STDIN, 0x4B45, $ARGV[0] + 0) or die "$!"' "$1" </dev/tty; }

line_mode=
keyboard=
leave() {
    [ -z "$keyboard" ] || set_keyboard_mode "$keyboard"
    [ -z "$line_mode" ] || stty "$line_mode" </dev/tty
    exit 0
}

tab=09
enter=0d
escape=1b
take_terminal() {
    if ! (: </dev/tty) 2>/dev/null; then error 'there is no controlling terminal'; fi
    line_mode=$(stty -g </dev/tty)
    stty raw -echo </dev/tty
    if [ "$raw" = yes ]; then
        if ! { keyboard=$(keyboard_mode) && set_keyboard_mode 0; }; then error 'the keyboard cannot be made raw'; fi
        tab=0f
        enter=1c
        escape=01
    fi
    printf '\033[2J\033[H' >/dev/tty
    say "*** STAND-IN for $name, not $name ***"
}

# One key, as its byte in hexadecimal. As characters, an arrow is several, and a lone Esc waits for the next one.
key() {
    code=$(dd bs=1 count=1 2>/dev/null </dev/tty | od -An -tx1 | tr -d ' \n')
    [ "$raw" = yes ] || [ "$code" != "$escape" ] || code=$code$(dd bs=1 count=1 2>/dev/null </dev/tty | od -An -tx1)
    printf %s "$code"
}

# Enter takes what has the focus: "Mark" at first.
ask_to_mark() {
    say 'This disk has not been marked as one that Ghost has seen before.'
    say '[ Mark ]  [ Continue without marking ]   Tab: other choice, Enter: take it'
    focus='mark'
    while :; do
        case $(key) in
            "$tab") if [ "$focus" = 'mark' ]; then focus='continue'; else focus='mark'; fi ;;
            "$enter") break ;;
            '') return 1 ;;
        esac
    done
    [ "$focus" = continue ] && say 'Continuing without marking' && return 0
    printf 'MARKED BY THE STAND-IN' | dd of="$disk" bs=512 seek=62 conv=notrunc 2>/dev/null
    echo 'the disk was marked, which changes it' >"$marks/GHOSTERR.TXT"
    return 1
}

# What the stand-in for GHOST.EXE does with these switches.
ghost() {
    say '*** STAND-IN for GHOST.EXE, not Norton Ghost ***'
    case $1 in
        -clone,mode=dump,src=1,dst=z:*)
            ask_to_mark && gzip -1 <"$disk" >"$images/IMAGE.GHO" ;;
        -clone,mode=load,src=z:*,dst=1)
            gzip -t <"$images/IMAGE.GHO" && gzip -dc <"$images/IMAGE.GHO" | dd of="$disk" bs=64k conv=fsync 2>/dev/null ;;
        -chkimg,z:*) gzip -t <"$images/IMAGE.GHO" ;;
        '')
            say 'Local   Peer to peer   Options   Quit        Q: quit'
            while ! is_quit "$(key)"; do :; done
            ;;
        *) false ;;
    esac
}

# The letter Q, as a scan code or as a character.
is_quit() { if [ "$raw" = yes ]; then [ "$1" = 10 ]; else [ "$1" = 71 ]; fi; }

# The Linux folder that LREDIR is to show, if it may.
redirected() {
    case $mapped in
        any | *" $1 "*) printf %s "$1" ;;
        *) log "ERROR: redirection of $1 rejected" ;;
    esac
}

# Boots the floppy and follows its batch file.
boot() {
    [ -b "$disk" ] || error "cannot open $disk"
    batch=$HOME/autoexec
    mtype -i "$floppy" ::/AUTOEXEC.BAT >"$batch.crlf" || error "cannot boot from $floppy"
    tr -d '\r' <"$batch.crlf" >"$batch"
    images=
    marks=
    errorlevel=0
    skip_to=
    # shellcheck disable=SC1003  # DOS separates folders with a backslash
    while read -r line; do
        if [ -n "$skip_to" ]; then
            [ "$line" = ":$skip_to" ] && skip_to=
            continue
        fi
        case $line in
            'LREDIR Z: LINUX\FS'*) images=$(redirected "${line#*\\FS}") ;;
            'LREDIR M: LINUX\FS'*) marks=$(redirected "${line#*\\FS}") ;;
            '@ECHO OFF' | M: | :*) ;;
            'ECHO '*' > '*)
                text=${line#ECHO }
                [ -z "$marks" ] || printf '%s\r\n' "${text% > *}" >"$marks/${line##* > }"
                ;;
            'IF NOT EXIST A:\'*' GOTO '*)
                file=${line#*A:\\}
                mdir -b -i "$floppy" "::/${file%% *}" >/dev/null 2>&1 || skip_to=${line##* }
                ;;
            'IF ERRORLEVEL 1 GOTO '*) [ "$errorlevel" = 0 ] || skip_to=${line##* } ;;
            'A:\GHOST.EXE' | 'A:\GHOST.EXE '*)
                switches=${line#'A:\GHOST.EXE'}
                ghost "$(printf %s "${switches# }" | cut -d" " -f1)" && errorlevel=0 || errorlevel=1
                say "errorlevel $errorlevel"
                ;;
            EXITEMU)
                log 'DOS termination requested'
                leave
                ;;
            *) say 'Bad command or file name' ;;
        esac
    done <"$batch"
    # Without EXITEMU, DOS waits at its prompt for ever.
    say 'A:\>'
    while :; do key >/dev/null; done
}
