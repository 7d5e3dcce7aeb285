#!/bin/sh
# What the stand-ins for DOSEmu 1.4 and dosemu2 have in common: the screen, the keys, and the DOS that follows the batch
# file of the floppy line by line and plays the stand-in for GHOST.EXE itself. Its image is gzip's format.
#
# It refuses what FreeDOS under the real DOSEmu 1.4.0.8 and dosemu2 (October 2024) refused: drives beyond LASTDRIVE, commands
# that are not in the current folder and are called without their own, and drives of dosemu2 in kernels before build 2043.
#
# It is read by one of them, which sets $name (what it says it is), $log_file, $floppy, $disk, $writable (yes or no),
# $header (bytes before the disk's first sector), $reachable (bytes that INT 13h reaches), $raw (yes: scan codes and not
# characters) and $mapped (folders that LREDIR may show, with a space around each; "any" without such a list), and then
# calls take_terminal and boot. The exit status is always 0.
# shellcheck disable=SC2154  # those are set there

parts=/usr/lib/dosemu-stand-in
# Whether it has the VGA, and in which letters a program draws there.
graphics=no
font=plain
# Whether there is a hard disk, and whether LREDIR makes drives in kernels of before October 2012.
# shellcheck disable=SC2034  # who reads this file sets them
hard_disks=1
makes_drives_in_old_kernels=yes
# What is on the screen, and the mode that the VGA had before.
shown=$HOME/shown
mode=$HOME/vga-mode

log() { printf '%s\n' "$*" >>"$log_file"; }
error_text() { log "ERROR: $*"; echo "ERROR: $*" >&2; }
error() { log "ERROR: $*"; leave; }

# On the VGA all is drawn in mode 12h, and the terminal shows nothing.
say() {
    if [ "$graphics" = no ]; then printf '%s\r\n' "$*" >/dev/tty; return; fi
    printf '%s\n' "$*" >>"$shown"
    "$parts/vga" draw "$parts/font" "$font" <"$shown"
}
capitals() { printf %s "$1" | tr '[:lower:]' '[:upper:]'; }

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
    : >"$shown"
    if [ "$graphics" = yes ]; then "$parts/vga" save "$mode" || error 'cannot keep the mode of the VGA'; fi
    printf '\033[2J\033[H' >/dev/tty
    say "*** STAND-IN for $name, not $name ***"
}

# One key, as its byte in hexadecimal. As characters, an arrow is several, and a lone Esc waits for the next one.
key() {
    code=$(dd bs=1 count=1 2>/dev/null </dev/tty | od -An -tx1 | tr -d ' \n')
    [ "$raw" = yes ] || [ "$code" != "$escape" ] || code=$code$(dd bs=1 count=1 2>/dev/null </dev/tty | od -An -tx1)
    printf %s "$code"
}

# Takes `image "PATH" [readonly] }` apart: an image with a header of DOSEmu's own.
# shellcheck disable=SC2034  # who reads this file uses it
name_image() {
    case $1 in
        'image "'*'" readonly }') writable=no ;;
        'image "'*'" }') ;;
        *) return 1 ;;
    esac
    disk=${1#*\"}
    disk=${disk%%\"*}
    has_header=yes
}

# The number at a byte of the disk: in one byte, or in four.
byte() { od -An -tu1 -j "$1" -N 1 "$disk" | tr -d ' '; }
word() { od -An -tu4 -j "$1" -N 4 "$disk" | tr -d ' '; }

# The geometry of an image is that of its header.
read_header() {
    [ "$(dd if="$disk" bs=6 count=1 2>/dev/null)" = DOSEMU ] || error "IMAGE $disk header lacks magic string - cannot autosense!"
    reachable=$(($(word 7) * $(word 11) * $(word 15) * 512))
    header=$(word 19)
}

# What INT 13h reaches of the disk, and no more.
read_disk() { dd if="$disk" bs=64k iflag=skip_bytes,count_bytes skip="$header" count="$reachable" 2>/dev/null; }
write_disk() {
    [ "$writable" = yes ] || { echo 'the disk cannot be written' >"$(folder "$current")/GHOSTERR.TXT" && return 1; }
    dd of="$disk" bs=64k oflag=seek_bytes seek=$((header + ${1:-0})) conv=fsync,notrunc 2>/dev/null
}

# Enter takes what has the focus: "Mark" at first.
ask_to_mark() {
    # What is drawn and not written shows nowhere but on a VGA.
    if [ "$draws$graphics" != yesno ]; then
        say 'This disk has not been marked as one that Ghost has seen before.'
        say '[ Mark ]  [ Continue without marking ]   Tab: other choice, Enter: take it'
    fi
    focus='mark'
    while :; do
        case $(key) in
            "$tab") if [ "$focus" = 'mark' ]; then focus='continue'; else focus='mark'; fi ;;
            "$enter") break ;;
            '') return 1 ;;
        esac
    done
    [ "$focus" = continue ] && say 'Continuing without marking' && return 0
    printf 'MARKED BY THE STAND-IN' | write_disk $((62 * 512)) &&
        echo 'the disk was marked, which changes it' >"$(folder "$current")/GHOSTERR.TXT"
    return 1
}

# What the stand-in for GHOST.EXE does with these switches.
ghost() {
    draws=no
    case " $* " in *' -standingraphics '*) draws=yes ;; *' -standinfont '*) draws=yes font=own ;; esac
    say '*** STAND-IN for GHOST.EXE, not Norton Ghost ***'
    at=$(folder Z)
    case ${1:-} in
        '') ;;
        *) [ -n "$at" ] || return 1 ;;
    esac
    case ${1:-}$hard_disks in
        -clone*0) echo 'ABORT: no disk 1' >"$(folder "$current")/GHOSTERR.TXT" && return 1 ;;
    esac
    case ${1:-} in
        -clone,mode=dump,src=1,dst=z:*)
            ask_to_mark || return 1
            case " $* " in
                *' -standinhang '*) while :; do :; done ;;
                *' -standinfail='*) echo 'ABORT: told to fail' >"$(folder "$current")/GHOSTERR.TXT" && return 1 ;;
            esac
            read_disk | gzip -1 >"$at/IMAGE.GHO"
            ;;
        -clone,mode=load,src=z:*,dst=1)
            gzip -t <"$at/IMAGE.GHO" && gzip -dc <"$at/IMAGE.GHO" | write_disk ;;
        -chkimg,z:*) gzip -t <"$at/IMAGE.GHO" ;;
        '')
            say 'No command was given. Press Esc or Q to leave.'
            while ! is_quit "$(key)"; do :; done
            ;;
        *) false ;;
    esac
}

# The letter Q, as a scan code or as a character.
is_quit() { if [ "$raw" = yes ]; then [ "$1" = 10 ]; else [ "$1" = 71 ]; fi; }

# The text of a file on the floppy, without carriage returns.
text_of() { mtype -i "$floppy" "::/$1" 2>/dev/null | tr -d '\r\032'; }
on_floppy() { mdir -b -i "$floppy" "::/$1" >/dev/null 2>&1; }

# The Linux folder that a drive is, if it is one.
folder() {
    case $1 in
        Z) printf %s "$images" ;;
        M) printf %s "$marks" ;;
    esac
}

# Takes a path of DOS apart: $drive and $file.
take_apart() {
    case $1 in
        ?:*) drive=$(capitals "${1%%:*}") file=${1#?:} ;;
        *) drive=$current file=$1 ;;
    esac
    file=${file#\\}
}

is_there() {
    take_apart "$1"
    if [ "$drive" = A ]; then on_floppy "$file"; return; fi
    at=$(folder "$drive")
    [ -n "$at" ] && { [ "$(capitals "$file")" = NUL ] || [ -n "$(find "$at" -maxdepth 1 -iname "$file")" ]; }
}

# LREDIR LETTER: LINUX\FS/FOLDER. Letters end at LASTDRIVE, and at E: without it.
lredir() {
    [ "$makes_drives_in_old_kernels$old_kernel" != noyes ] || return
    letter=$(capitals "${1%%:*}")
    target=${2#*[Ff][Ss]}
    if expr "$letter" '>' "$last_drive" >/dev/null; then
        say 'Error f (invalid drive)'
        say "while redirecting drive $letter: to $2"
        return
    fi
    case $mapped in
        any | *" $target "*) ;;
        *) log "ERROR: redirection of $target rejected" && return ;;
    esac
    case $letter in
        Z) images=$target ;;
        M) marks=$target ;;
    esac
    say "$letter: = $2 attrib = READ/WRITE"
}

# A command that is not the shell's own. FreeCOM looks in the current folder only.
run() {
    take_apart "$1"
    found=
    for end in '' .COM .EXE .BAT; do
        if [ "$drive" = A ] && on_floppy "$file$end"; then found=$(capitals "$file"); fi
    done
    shift
    case ${found%.*} in
        LREDIR) lredir "$@" ;;
        EXITEMU)
            log 'DOS termination requested'
            leave
            ;;
        GHOST)
            ghost "$@" && errorlevel=0 || errorlevel=1
            say "errorlevel $errorlevel"
            ;;
        *) say 'Bad command or filename.' ;;
    esac
}

# ECHO TEXT > FILE, or without a file.
echo_text() {
    case $1 in
        *'>'*)
            text=${1%%>*}
            take_apart "$(printf %s "${1##*>}" | tr -d ' ')"
            at=$(folder "$drive")
            [ -n "$at" ] || { say "Can not redirect output to file '${1##*>}'." && return; }
            case $1 in
                *'>>'*) printf '%s\r\n' "$text" >>"$at/$file" ;;
                *) printf '%s\r\n' "$text" >"$at/$file" ;;
            esac
            ;;
        *) say "$1" ;;
    esac
}

# TYPE FILE > FILE
type_text() {
    take_apart "${1%% *}"
    from=$(find "$(folder "$drive")" -maxdepth 1 -iname "$file")
    take_apart "${1##*> }"
    cat "$from" >"$(folder "$drive")/$file"
}

# IF [NOT] EXIST FILE COMMAND, IF [NOT] ERRORLEVEL N COMMAND
if_then() {
    wanted=0
    if [ "$1" = NOT ]; then wanted=1; shift; fi
    case $1 in
        EXIST) is_there "$2" && holds=0 || holds=1 ;;
        *) [ "$errorlevel" -ge "$2" ] && holds=0 || holds=1 ;;
    esac
    shift 2
    [ "$holds" != "$wanted" ] || follow "$*"
}

# One line of a batch file.
# shellcheck disable=SC2086  # lines are split into words
follow() {
    line=${1#@}
    word=${line%% *}
    rest=${line#"$word"}
    rest=${rest# }
    case $(capitals "$word") in
        '' | :* | REM) ;;
        ECHO) case $(capitals "$rest") in OFF | ON) ;; *) echo_text "$rest" ;; esac ;;
        IF) set -f && if_then $rest ;;
        TYPE) type_text "$rest" ;;
        GOTO) skip_to=${rest#:} ;;
        [B-Z]:)
            if [ -n "$(folder "${word%:}")" ]; then current=$(capitals "${word%:}"); else say "Invalid drive $word."; fi
            ;;
        A:) current=A ;;
        *) set -f && run $line ;;
    esac
}

# Boots the floppy: what it reads before AUTOEXEC.BAT, and its batch file.
boot() {
    [ -b "$disk" ] || error "cannot open $disk"
    on_floppy AUTOEXEC.BAT || error "cannot boot from $floppy"
    config=CONFIG.SYS
    ! on_floppy FDCONFIG.SYS || config=FDCONFIG.SYS
    if text_of "$config" | grep -qi -e '^MENU' -e 'SHELL.*/P='; then
        say 'FreeDOS INSTALLATION: 1. Install to harddisk (default)'
        while :; do key >/dev/null; done
    fi
    last_drive=$(text_of "$config" | sed -n 's/^!*LASTDRIVE=\(.\).*/\1/Ip' | tail -n 1)
    last_drive=$(capitals "${last_drive:-E}")
    # The settings at the beginning of an old kernel's file are 19 bytes long (contract/src/bootdisk/kernel.rs).
    old_kernel=no
    if on_floppy KERNEL.SYS; then
        size=$(mtype -i "$floppy" ::/KERNEL.SYS | od -An -tu2 -j 8 -N 2 | tr -d ' ')
        [ "$size" != 19 ] || old_kernel=yes
    fi
    batch=$HOME/autoexec
    text_of AUTOEXEC.BAT >"$batch"
    images=
    marks=
    current=A
    errorlevel=0
    skip_to=
    while read -r line; do
        if [ -n "$skip_to" ]; then
            [ "$(capitals "$line")" = ":$(capitals "$skip_to")" ] && skip_to=
            continue
        fi
        follow "$line"
    done <"$batch"
    # Without EXITEMU, DOS waits at its prompt for ever.
    say "$current:\\>"
    while :; do key >/dev/null; done
}
