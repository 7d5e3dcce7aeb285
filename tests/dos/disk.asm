; The first disk, through the extensions of INT 13h (IBM/MS INT 13 Extensions, "Enhanced Disk Drive").

FIRST_DISK      equ 80h
PAST_THE_END    equ 04h                 ; "sector not found"
; How far the size that the BIOS gives may be beyond the last sector: a BIOS may round it up to a whole
; cylinder, which has at most 255 heads of 63 sectors.
ROUNDED_UP_BY   equ 255 * 63

; Finds memory for one chunk that no 64 KiB boundary divides.
buffer_prepare:
        mov     ax, cs
        add     ax, 1FFFh               ; beyond our own segment, rounded up to 64 KiB
        and     ax, 0F000h
        mov     [buffer], ax
        add     ax, CHUNK_SECTORS * SECTOR / 16
        cmp     ax, [2]                 ; the first segment beyond our memory, in the PSP
        ja      .none
        clc
        ret
.none:
        mov     word [error_text], text_memory
        stc
        ret

; Finds the disk and how many sectors it really has: [disk_sectors].
disk_open:
        mov     ah, 41h
        mov     bx, 55AAh
        mov     dl, FIRST_DISK
        int     13h
        jc      disk_missing
        cmp     bx, 0AA55h
        jne     disk_missing
        mov     word [parameters], 1Ah
        mov     ah, 48h
        mov     dl, FIRST_DISK
        mov     si, parameters
        int     13h
        jc      disk_missing
        cmp     word [parameters + 18h], SECTOR
        jne     disk_unusable
        cmp     dword [parameters + 14h], 0
        jne     disk_unusable           ; 2 TiB and more
        mov     eax, [parameters + 10h]
        test    eax, eax
        jz      disk_missing
        mov     [disk_sectors], eax
        dec     eax
        call    disk_probe
        jc      .failed
        jz      .done

; The last sector is somewhere between one that is there [low] and one that is not [high].
        mov     eax, [disk_sectors]
        dec     eax
        mov     [high], eax
        sub     eax, ROUNDED_UP_BY
        jnc     .low
        xor     eax, eax
.low:
        mov     [low], eax
        call    disk_probe
        jc      .failed
        jnz     disk_unusable
.halve:
        mov     eax, [high]
        sub     eax, [low]
        cmp     eax, 1
        jbe     .found
        shr     eax, 1
        add     eax, [low]
        push    eax
        call    disk_probe
        pop     eax
        jc      .failed
        jz      .is_there
        mov     [high], eax
        jmp     .halve
.is_there:
        mov     [low], eax
        jmp     .halve
.found:
        mov     eax, [high]
        mov     [disk_sectors], eax
.done:
        clc
.failed:
        ret

disk_missing:
        mov     word [error_text], text_no_disk
        stc
        ret

disk_unusable:
        mov     word [error_text], text_odd_disk
        stc
        ret

; Whether sector EAX is there: zero flag set if so. Any error but "not found" is one.
disk_probe:
        mov     cx, 1
        call    disk_read
        jnc     .is_there
        cmp     byte [error_code], PAST_THE_END
        je      .is_not
        stc
        ret
.is_there:
        xor     ax, ax
        ret
.is_not:
        mov     word [error_code], 0
        or      al, 1                   ; clears both flags
        ret

; Reads CX sectors from EAX on into the buffer.
disk_read:
        mov     bp, text_read_error
        mov     dh, 42h
        jmp     disk_transfer

; Writes CX sectors of the buffer from EAX on.
disk_write:
        mov     bp, text_write_error
        mov     dh, 43h

disk_transfer:
        mov     [packet_sector], eax
        mov     [packet_count], cx
        mov     ax, [buffer]
        mov     [packet_segment], ax
        mov     ah, dh
        xor     al, al                  ; write without verify
        mov     dl, FIRST_DISK
        mov     si, packet
        int     13h
        jc      .failed
        ret
.failed:
        movzx   ax, ah
        mov     [error_code], ax
        mov     [error_text], bp
        stc
        ret

packet          db 16, 0
packet_count    dw 0
packet_offset   dw 0
packet_segment  dw 0
packet_sector   dq 0

text_memory      db "not enough memory", 0
text_no_disk     db "no disk 1", 0
text_odd_disk    db "disk 1 cannot be used: its size is not understood", 0
text_read_error  db "disk 1 cannot be read", 0
text_write_error db "disk 1 cannot be written", 0

        section .bss
buffer          resw 1                  ; segment of the chunk
disk_sectors    resd 1
low             resd 1
high            resd 1
parameters      resb 1Ah
        section .text
