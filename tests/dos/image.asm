; The image: a header of 512 bytes, then all sectors, split over files like Ghost's.
;
;   0  text "GHOST4LINUX STAND-IN IMAGE", CR, LF, Ctrl-Z, zeros up to 32
;   32 u32 version, 1
;   36 u32 1 when the image is complete, 0 while it is written
;   40 u32 number of sectors
;   44 u32 first sum: of all 32-bit words, modulo 2^32
;   48 u32 second sum: of the first sum after each word, modulo 2^32
;
; The second file of IMAGE.GHO is IMAGE001.GHS and so on: the first five letters and a number.

HEADER_SIZE     equ 512

; Begins a new image.
image_create:
        mov     dx, [image_path]
        call    part_create
        jc      .failed
        call    header_write
.failed:
        ret

; Appends the chunk, [chunk] sectors.
image_write:
        mov     ax, [chunk]
        shl     ax, 9
        mov     [left], ax
        mov     word [moved], 0
.next:
        cmp     dword [part_left], 0
        jne     .write
        call    part_next
        call    part_create
        jc      .done
.write:
        movzx   ecx, word [left]
        cmp     ecx, [part_left]
        jbe     .fits
        mov     ecx, [part_left]
.fits:
        mov     dx, [moved]
        mov     bx, [handle]
        push    ds
        mov     ds, [buffer]
        mov     ah, 40h
        int     21h
        pop     ds
        jc      image_write_failed
        cmp     ax, cx
        jne     image_full
        add     [moved], ax
        sub     [part_left], ecx
        sub     [left], ax
        jnz     .next
        clc
.done:
        ret

image_full:
        mov     word [error_text], text_full
        stc
        ret

image_write_failed:
        mov     word [error_text], text_image_write
        mov     [error_code], ax
        stc
        ret

; Writes the header again, now that the sums are known.
image_finish:
        call    part_close
        mov     dx, [image_path]
        mov     ax, 3D02h               ; open to read and write
        int     21h
        jc      image_write_failed
        mov     [handle], ax
        mov     dword [header_complete], 1
        call    header_write
        jc      .failed
        call    part_close
        clc
.failed:
        ret

header_write:
        mov     eax, [sectors]
        mov     [header_sectors], eax
        mov     eax, [sum_first]
        mov     [header_first], eax
        mov     eax, [sum_second]
        mov     [header_second], eax
        mov     dx, header
        mov     cx, HEADER_SIZE
        mov     bx, [handle]
        mov     ah, 40h
        int     21h
        jc      image_write_failed
        cmp     ax, cx
        jne     image_full
        sub     dword [part_left], HEADER_SIZE
        clc
        ret

; Opens an image and reads its header: [sectors].
image_open:
        mov     dx, [image_path]
        call    part_open
        jc      .done
        mov     dx, found
        mov     cx, HEADER_SIZE
        mov     bx, [handle]
        mov     ah, 3Fh
        int     21h
        jc      .bad
        cmp     ax, HEADER_SIZE
        jne     .bad
        mov     si, found
        mov     di, header
        mov     cx, (header_complete - header) / 2
        repe    cmpsw
        jne     .bad
        cmp     dword [found + 36], 1
        jne     .incomplete
        mov     eax, [found + 40]
        mov     [sectors], eax
        clc
.done:
        ret
.bad:
        mov     word [error_text], text_no_image
        stc
        ret
.incomplete:
        mov     word [error_text], text_incomplete
        stc
        ret

; Reads the next chunk, [chunk] sectors, from as many files as it takes.
image_read:
        mov     ax, [chunk]
        shl     ax, 9
        mov     [left], ax
        mov     word [moved], 0
.next:
        mov     cx, [left]
        mov     dx, [moved]
        mov     bx, [handle]
        push    ds
        mov     ds, [buffer]
        mov     ah, 3Fh
        int     21h
        pop     ds
        jc      .failed
        add     [moved], ax
        sub     [left], ax
        jz      .done
        test    ax, ax
        jnz     .next
        call    part_next
        call    part_open
        jnc     .next
        ret
.failed:
        mov     word [error_text], text_image_read
        mov     [error_code], ax
        stc
.done:
        ret

; Whether the sums are those of the header.
image_compare:
        mov     eax, [sum_first]
        cmp     eax, [found + 44]
        jne     .differs
        mov     eax, [sum_second]
        cmp     eax, [found + 48]
        jne     .differs
        clc
        ret
.differs:
        mov     word [error_text], text_checksum
        stc
        ret

; Creates the file at DX as the next one of the image.
part_create:
        xor     cx, cx
        mov     ah, 3Ch
        int     21h
        jc      .failed
        mov     [handle], ax
        mov     eax, [split]
        mov     [part_left], eax
        ret
.failed:
        mov     word [error_text], text_create
        mov     [error_code], ax
        stc
        ret

; Opens the file at DX as the next one of the image.
part_open:
        mov     ax, 3D00h
        int     21h
        jc      .failed
        mov     [handle], ax
        ret
.failed:
        mov     word [error_text], text_open
        mov     [error_code], ax
        stc
        ret

part_close:
        mov     bx, [handle]
        mov     ah, 3Eh
        int     21h
        ret

; Closes this file of the image and makes the name of the next one: DX.
part_next:
        call    part_close
        inc     word [part]
        mov     si, [image_path]
        mov     di, part_path
        mov     bx, di                  ; where the name without folders begins
.copy:
        lodsb
        stosb
        cmp     al, '\'
        je      .folder
        cmp     al, ':'
        jne     .same
.folder:
        mov     bx, di
.same:
        cmp     al, '.'
        je      .named
        test    al, al
        jnz     .copy
.named:
        dec     di                      ; at the dot, or the end
        lea     ax, [bx + 5]
        cmp     di, ax
        jbe     .short
        mov     di, ax
.short:
        mov     ax, [part]
        mov     cl, 100
        div     cl                      ; AL hundreds, AH the rest
        add     al, '0'
        stosb
        mov     al, ah
        aam                             ; AH tens, AL ones
        add     ax, '00'
        xchg    al, ah
        stosw
        mov     si, text_ghs
        mov     cx, 5
        rep     movsb
        mov     dx, part_path
        ret

text_full        db "the image does not fit: the drive is full", 0
text_image_write db "the image cannot be written", 0
text_image_read  db "the image cannot be read", 0
text_create      db "the image cannot be created", 0
text_open        db "the image cannot be opened", 0
text_no_image    db "this is no image of the stand-in", 0
text_incomplete  db "the image is incomplete", 0
text_checksum    db "the image is damaged: its checksum is wrong", 0
text_ghs         db ".ghs", 0

header           db "GHOST4LINUX STAND-IN IMAGE", 13, 10, 26
                 times 32 - ($ - header) db 0
                 dd 1
header_complete  dd 0
header_sectors   dd 0
header_first     dd 0
header_second    dd 0
                 times HEADER_SIZE - ($ - header) db 0

        section .bss
found           resb HEADER_SIZE
handle          resw 1
part            resw 1                  ; number of the file, 0 for the first
part_left       resd 1                  ; bytes that still fit into it
part_path       resb 128
left            resw 1                  ; bytes of the chunk still to be moved
moved           resw 1                  ; bytes of the chunk that have been moved
        section .text
