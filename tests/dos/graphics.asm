; What is drawn in mode 12h (640x480, 16 colours): the dots of each letter, straight into the planes of the VGA, as a program
; does that brings its own font. What is printed from then on the BIOS draws.

GRAPHICS_LINE   equ 640 / 8             ; bytes of a line of dots, in each plane
GLYPH_LINES     equ 16
FIRST_GLYPH     equ ' '
GLYPHS          equ 127 - FIRST_GLYPH
LEFT            equ 4                   ; letters of room on the left
TOP             equ 10                  ; lines of letters above

; Changes to mode 12h and draws the text at SI, white on black.
graphics_draw:
        push    si
        mov     ax, 0012h
        int     10h
        pop     si
        push    es
        mov     ax, 0A000h
        mov     es, ax
        mov     bx, TOP * GLYPH_LINES * GRAPHICS_LINE + LEFT
        mov     di, bx
        cld
.next:
        lodsb
        test    al, al
        jz      .done
        cmp     al, 13
        je      .next
        cmp     al, 10
        je      .line
        call    graphics_letter
        jmp     .next
.line:
        add     bx, GLYPH_LINES * GRAPHICS_LINE
        mov     di, bx
        jmp     .next
.done:
        pop     es
        ret

; Draws the letter AL at DI and moves DI behind it. After a change of mode, what is written goes to all four planes.
graphics_letter:
        push    si
        push    di
        movzx   si, al
        sub     si, FIRST_GLYPH
        shl     si, 4
        add     si, font
        mov     cx, GLYPH_LINES
.line:
        lodsb
        cmp     byte [own_font], 0
        je      .write
        mov     ah, al                  ; twice as thick, and striped: no font of a PC
        shr     ah, 1
        or      al, ah
        xor     al, 55h
.write:
        mov     [es:di], al
        add     di, GRAPHICS_LINE
        loop    .line
        pop     di
        inc     di
        pop     si
        ret

; Back to text, if it was left.
graphics_leave:
        cmp     byte [draws], IN_GRAPHICS
        jne     .done
        mov     ax, 0003h
        int     10h
.done:
        ret

; That of a PC, which the reader of screens knows.
font            incbin "../../init/src/screen/font/bios-8x16.bin", FIRST_GLYPH * GLYPH_LINES, GLYPHS * GLYPH_LINES
own_font        db 0
