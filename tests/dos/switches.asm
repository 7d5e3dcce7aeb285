; The command line. What has a value has it after '=' or ','.

MEGABYTE        equ 1048576
NEVER           equ 255                 ; a percentage that is not reached

; Reads the command line into the variables below.
switches_parse:
        movzx   cx, byte [80h]          ; length and text of the command line, in the PSP
        mov     si, 81h
        mov     di, line
        jcxz    .copied
.copy:
        lodsb
        cmp     al, 'A'
        jb      .small
        cmp     al, 'Z'
        ja      .small
        or      al, 20h
.small:
        stosb
        loop    .copy
.copied:
        mov     byte [di], 0
        mov     si, line
.next:
        lodsb
        cmp     al, ' '
        je      .next
        cmp     al, 9
        je      .next
        test    al, al
        jz      .done
        cmp     al, '-'
        je      .switch
        cmp     al, '/'
        je      .switch
        call    word_end
        jmp     .unknown
.switch:
        call    word_end                ; DI: behind it
        mov     bx, switches
.try:
        mov     bp, [bx]
        test    bp, bp
        jz      .unknown
        call    begins_with
        je      .found
        add     bx, 4
        jmp     .try
.unknown:
        call    switch_unknown
        mov     si, di
        jmp     .next
.found:
        push    di
        call    [bx + 2]
        pop     si
        jmp     .next
.done:
        cmp     word [error_text], 0
        jne     .failed
        clc
        ret
.failed:
        stc
        ret

; Notes that the command line is wrong; the rest of it is read all the same, since it may have -fx.
switch_unknown:
        mov     word [error_text], text_switch
        ret

; Ends the word at SI with a 0; DI is behind it.
word_end:
        mov     di, si
.next:
        mov     al, [di]
        inc     di
        test    al, al
        jz      .last
        cmp     al, ' '
        je      .done
        cmp     al, 9
        jne     .next
.done:
        mov     byte [di - 1], 0
        ret
.last:
        dec     di                      ; the 0 of the whole line
        ret

; Whether the text at SI begins with that at BP: zero flag. Only then SI is moved behind it.
begins_with:
        push    si
.next:
        mov     al, [ds:bp]
        test    al, al
        jz      .yes
        cmp     al, [si]
        jne     .no
        inc     si
        inc     bp
        jmp     .next
.yes:
        pop     ax
        xor     ax, ax
        ret
.no:
        pop     si
        ret

switch_clone:
        mov     bp, text_dump
        mov     word [job], job_dump
        call    begins_with
        je      .path
        mov     bp, text_load
        mov     word [job], job_load
        call    begins_with
        jne     switch_unknown
        mov     [image_path], si
.until_comma:
        lodsb
        test    al, al
        jz      switch_unknown
        cmp     al, ','
        jne     .until_comma
        mov     byte [si - 1], 0
        mov     bp, text_to_disk
        call    begins_with
        jne     switch_unknown
        ret
.path:
        mov     [image_path], si
        ret

switch_check:
        mov     word [job], job_check
        mov     [image_path], si
        ret

switch_split:
        call    number
        jc      switch_unknown
        mov     ebx, MEGABYTE
        mul     ebx
        test    edx, edx
        jnz     switch_unknown
        test    eax, eax
        jz      switch_unknown
        mov     [split], eax
        ret

switch_sure:
        mov     byte [is_sure], 1
        ret

switch_exit:
        mov     byte [exit_when_done], 1
        ret

switch_error_file:
        mov     [error_path], si
        ret

switch_fail:
        call    number
        jc      switch_unknown
        mov     [fail_at], al
        ret

switch_hang:
        mov     byte [hang_at], 10
        ret

switch_draw:
        mov     byte [draws], IN_TEXT
        ret

switch_graphics:
        mov     byte [draws], IN_GRAPHICS
        ret

switch_own_font:
        mov     byte [own_font], 1
        jmp     switch_graphics

switch_accepted:
        ret

; The number at SI: EAX. Carry if there is none.
number:
        xor     eax, eax
        cmp     byte [si], 0
        je      .bad
.next:
        movzx   ebx, byte [si]
        inc     si
        test    bl, bl
        jz      .done
        sub     bl, '0'
        cmp     bl, 9
        ja      .bad
        imul    eax, eax, 10
        add     eax, ebx
        jmp     .next
.done:
        clc
        ret
.bad:
        stc
        ret

switches:
        dw      .clone, switch_clone
        dw      .check, switch_check
        dw      .split, switch_split
        dw      .compress, switch_accepted
        dw      .auto, switch_accepted
        dw      .all_sectors, switch_accepted
        dw      .sure, switch_sure
        dw      .exit, switch_exit
        dw      .error_file, switch_error_file
        dw      .hang, switch_hang
        dw      .draw, switch_draw
        dw      .graphics, switch_graphics
        dw      .own_font, switch_own_font
        dw      .fail, switch_fail
        dw      0
.clone          db "clone,", 0
.check          db "chkimg,", 0
.split          db "split=", 0
.compress       db "z", 0
.auto           db "auto", 0
.all_sectors    db "ir", 0
.sure           db "sure", 0
.exit           db "fx", 0
.error_file     db "afile=", 0
.hang           db "standinhang", 0
.draw           db "standindraw", 0
.graphics       db "standingraphics", 0
.own_font       db "standinfont", 0
.fail           db "standinfail=", 0

text_dump       db "mode=dump,src=1,dst=", 0
text_load       db "mode=load,src=", 0
text_to_disk    db "dst=1", 0
text_switch     db "a switch is not understood", 0
text_error_path db "ghosterr.txt", 0

job             dw 0                    ; which procedure, 0 for none
image_path      dw 0
error_path      dw text_error_path
split           dd 2047 * MEGABYTE      ; bytes in each file of the image
is_sure         db 0
exit_when_done  db 0
draws           db 0
fail_at         db NEVER
hang_at         db NEVER
