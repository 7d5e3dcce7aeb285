; The boot sector of a lab PC's disk: says on the serial line and on the screen that the PC booted its own
; disk, and halts. Assembled with -DMESSAGE="'...'".

        bits 16
        org 0x7c00

start:
        cli
        xor     ax, ax
        mov     ds, ax
        mov     ss, ax
        mov     sp, 0x7c00
        sti
        cld
        mov     si, message
next:
        lodsb
        test    al, al
        jz      halt
        call    to_serial
        call    to_screen
        jmp     next
halt:
        hlt
        jmp     halt

; The character in AL goes out of COM1 once its transmitter is empty (bit 5 of the line status).
to_serial:
        mov     bl, al
        mov     dx, 0x3fd
.busy:
        in      al, dx
        test    al, 0x20
        jz      .busy
        mov     al, bl
        mov     dx, 0x3f8
        out     dx, al
        ret

; The character in AL goes to the screen as the BIOS writes it (INT 10h, function 0Eh).
to_screen:
        mov     ah, 0x0e
        mov     bx, 0x0007
        int     0x10
        ret

message:
        db      MESSAGE, 13, 10, 0

        times   510-($-$$) db 0
        dw      0xaa55
