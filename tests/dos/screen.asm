; The screen, the keyboard and ghosterr.txt. Everything is written through DOS, so that any way of looking at
; a DOS screen sees it.

ROW equ 80 * 2                  ; bytes of a row in video memory
IN_TEXT         equ 1           ; what [draws] says
IN_GRAPHICS     equ 2

screen_clear:
        mov     ax, 0003h               ; INT 10h: text mode of 80x25, which clears it
        int     10h
        ret

; Writes the text at SI, which ends with a 0.
print:
        mov     bx, 1                   ; standard output

; Writes the text at SI to the file BX.
write_text:
        mov     dx, si
        xor     cx, cx
.count:
        lodsb
        inc     cx
        test    al, al
        jnz     .count
        dec     cx
        mov     ah, 40h
        int     21h
        ret

; Asks the question at SI: written through DOS, or with -standindraw and -standingraphics drawn where only a look at the
; picture finds it.
ask:
        cmp     byte [draws], 0
        je      print
        cmp     byte [draws], IN_GRAPHICS
        je      graphics_draw

; Puts the text at SI into video memory, from the eleventh row on, white on blue.
draw:
        push    es
        mov     ax, 0B800h
        mov     es, ax
        mov     bx, 10 * ROW            ; where the row begins
        mov     di, bx
        mov     ah, 1Fh
.next:
        lodsb
        test    al, al
        jz      .done
        cmp     al, 13
        je      .next
        cmp     al, 10
        je      .row
        stosw
        jmp     .next
.row:
        add     bx, ROW
        mov     di, bx
        jmp     .next
.done:
        pop     es
        ret

; Writes EAX as a decimal number.
print_number:
        call    number_text
        jmp     print

; EAX as a decimal number: its text is at SI.
number_text:
        mov     si, text_digits + 11
        mov     byte [si], 0
        mov     ebx, 10
.digit:
        xor     edx, edx
        div     ebx
        add     dl, '0'
        dec     si
        mov     [si], dl
        test    eax, eax
        jnz     .digit
        ret

; " (code N)" if there is one.
print_error_code:
        cmp     word [error_code], 0
        je      .none
        mov     si, text_code
        call    print
        movzx   eax, word [error_code]
        call    print_number
        mov     si, text_code_end
        call    print
.none:
        ret

; Waits for a key: AL is its character.
key_wait:
        mov     ah, 00h
        int     16h
        ret

; Without -sure, asks before the job in BX is done; keeps BX.
ask_whether_sure:
        cmp     byte [is_sure], 0
        jne     .yes
        push    bx
        mov     si, text_proceed
        call    print
.key:
        call    key_wait
        or      al, 20h
        cmp     al, 'n'
        je      .no
        cmp     al, 'y'
        jne     .key
        pop     bx
.yes:
        clc
        ret
.no:
        pop     bx
        mov     word [error_text], text_not_sure
        stc
        ret

; Without -fx, the last screen stays until Enter is pressed.
wait_unless_exit_wanted:
        cmp     byte [exit_when_done], 0
        jne     .done
        mov     si, text_press_enter
        call    print
.key:
        call    key_wait
        cmp     al, 13
        jne     .key
.done:
        ret

; Writes the error to ghosterr.txt in the current folder, or to the file of -afile. A failure of that cannot be
; reported anywhere.
error_file_write:
        mov     dx, [error_path]
        xor     cx, cx
        mov     ah, 3Ch                 ; create
        int     21h
        jc      .done
        mov     bx, ax
        mov     si, text_error_head
        call    write_text
        mov     si, [error_text]
        call    write_text
        cmp     word [error_code], 0
        je      .close
        mov     si, text_code
        call    write_text
        push    bx
        movzx   eax, word [error_code]
        call    number_text
        pop     bx
        call    write_text
        mov     si, text_code_end
        call    write_text
.close:
        mov     si, text_newline
        call    write_text
        mov     ah, 3Eh
        int     21h
.done:
        ret

text_code        db " (code ", 0
text_code_end    db ")", 0
text_proceed     db "Proceed? (Y)es (N)o", 13, 10, 0
text_not_sure    db "it was not to proceed", 0
text_press_enter db "Press Enter to continue", 13, 10, 0
text_error_head  db "ABORT (STAND-IN for GHOST.EXE): ", 0
