; STAND-IN for GHOST.EXE: what the tests run where an administrator would run Norton Ghost for DOS.
;
; It is not Norton Ghost and says so on its screen; it is never installed. It takes the switches that the
; project uses, asks the question that has to be answered, reads or writes the whole first disk through the
; BIOS, and writes an image of its own simple format. README.md in this folder describes all of it.
;
;   nasm -f bin -o GHOST.EXE ghost.asm
;
; The file is a .COM program by content; DOS looks at the content and not at the name.
;
; Procedures report failure by the carry flag, with a text in [error_text]. They may change every register.

        bits    16
        cpu     386
        org     100h

CHUNK_SECTORS equ 64            ; sectors moved at a time: 32 KiB
SECTOR        equ 512

        cld
        mov     di, zeroed              ; DOS does not clear what is not in the file
        mov     cx, zeroed_end - zeroed
        xor     al, al
        rep     stosb
        call    screen_clear
        mov     si, text_banner
        call    print
        call    buffer_prepare
        jc      failed
        call    switches_parse
        jc      failed
        mov     bx, [job]
        test    bx, bx
        jz      interactive
        call    ask_whether_sure
        jc      failed
        call    bx
        jc      failed
        mov     si, text_success
        call    print
        call    wait_unless_exit_wanted
        call    graphics_leave
        mov     ax, 4C00h
        int     21h

; Without a job it would show its menu. A person can only leave it.
interactive:
        mov     si, text_menu
        call    print
.key:
        call    key_wait
        or      al, 20h                 ; capitals become small, and Esc ';'
        cmp     al, 'q'
        je      .leave
        cmp     al, 27 | 20h
        jne     .key
.leave:
        mov     ax, 4C00h
        int     21h

failed:
        mov     si, text_failed
        call    print
        mov     si, [error_text]
        call    print
        call    print_error_code
        mov     si, text_newline
        call    print
        call    error_file_write
        call    wait_unless_exit_wanted
        call    graphics_leave
        mov     ax, 4C01h
        int     21h

        section .bss
zeroed:
        section .text

%include "switches.asm"
%include "screen.asm"
%include "graphics.asm"
%include "disk.asm"
%include "image.asm"
%include "jobs.asm"

text_banner     db "*** STAND-IN for GHOST.EXE, not Norton Ghost ***", 13, 10
                db "A test double of Ghost4Linux. Never use it for real data.", 13, 10, 13, 10, 0
text_menu       db "Local / Disk / Partition / Options / Quit", 13, 10
                db "No command was given. Press Esc or Q to leave.", 13, 10, 0
text_success    db 13, 10, "Completed successfully", 13, 10, 0
text_failed     db 13, 10, "*** ABORTED: ", 0
text_newline    db 13, 10, 0

error_text      dw 0                    ; why it failed
error_code      dw 0                    ; what DOS or the BIOS said, 0 if nothing

        section .bss
line            resb 128                ; the command line in small letters
text_digits     resb 12
zeroed_end:
