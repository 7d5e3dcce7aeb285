; The three jobs: dump, load and check. Each is a loop over chunks that fetches one, adds it to the sums and
; stores it.

MARKED_SECTOR   equ 62                  ; before the first partition of any disk

job_dump:
        call    ask_to_mark
        jc      job_done
        call    disk_open
        jc      job_done
        mov     eax, [disk_sectors]
        mov     [sectors], eax
        call    image_create
        jc      job_done
        mov     word [fetch], chunk_from_disk
        mov     word [store], image_write
        call    copy
        jc      job_done
        jmp     image_finish

job_load:
        call    image_open
        jc      job_done
        call    disk_open
        jc      job_done
        mov     eax, [sectors]
        cmp     eax, [disk_sectors]
        ja      .too_small
        mov     word [fetch], image_read
        mov     word [store], chunk_to_disk
        call    copy
        jc      job_done
        jmp     image_compare
.too_small:
        mov     word [error_text], text_too_small
        stc
        ret

job_check:
        call    image_open
        jc      job_done
        mov     word [fetch], image_read
        mov     word [store], chunk_nowhere
        call    copy
        jc      job_done
        jmp     image_compare

job_done:
        ret

copy:
        mov     dword [position], 0
        mov     byte [percent], 255
.next:
        call    progress
        jc      .done
        mov     eax, [sectors]
        sub     eax, [position]
        jz      .done
        cmp     eax, CHUNK_SECTORS
        jbe     .last
        mov     eax, CHUNK_SECTORS
.last:
        mov     [chunk], eax
        call    [fetch]
        jc      .done
        call    sums_add
        call    [store]
        jc      .done
        mov     eax, [chunk]
        add     [position], eax
        jmp     .next
.done:
        ret

chunk_from_disk:
        mov     eax, [position]
        mov     cx, [chunk]
        jmp     disk_read

chunk_to_disk:
        mov     eax, [position]
        mov     cx, [chunk]
        jmp     disk_write

chunk_nowhere:
        clc
        ret

; Adds the chunk to both sums.
sums_add:
        mov     cx, [chunk]
        shl     cx, 4                   ; 32 bytes a round
        mov     eax, [sum_first]
        mov     edx, [sum_second]
        xor     si, si
        push    ds
        mov     ds, [buffer]
.round:
%assign word_offset 0
%rep 8
        add     eax, [si + word_offset]
        add     edx, eax
%assign word_offset word_offset + 4
%endrep
        add     si, 32
        dec     cx
        jnz     .round
        pop     ds
        mov     [sum_first], eax
        mov     [sum_second], edx
        ret

; Shows how far it is, when that has changed, and hangs or fails here if it was told to.
progress:
        mov     eax, [position]
        mov     ebx, 100
        mul     ebx
        mov     ebx, [sectors]
        test    ebx, ebx
        jz      .done
        div     ebx
        cmp     al, [percent]
        je      .done
        mov     [percent], al
        mov     si, text_percent
        call    print
        movzx   eax, byte [percent]
        call    print_number
        mov     al, [percent]
        cmp     al, [fail_at]
        jae     .fail
        cmp     al, [hang_at]
        jae     .hang
.done:
        clc
        ret
; For ever, with the CPU at 100 %. A jump to itself would not do: the CPU emulation of DOSEmu 1.4 ends at one.
.hang:
        nop
        jmp     .hang
.fail:
        mov     word [error_text], text_told_to_fail
        stc
        ret

; Ghost wants to mark a disk that it has not seen before. Enter takes what has the focus: "Mark" at first.
; Marking writes to the disk, which no backup may do, so it fails the job.
ask_to_mark:
        mov     si, text_mark
        call    ask
        xor     bl, bl                  ; what has the focus: 0 is "Mark"
.key:
        push    bx
        call    key_wait
        pop     bx
        cmp     al, 9
        je      .tab
        cmp     al, 13
        jne     .key
        test    bl, bl
        jz      .mark
        mov     si, text_unmarked
        call    print
        clc
        ret
.tab:
        xor     bl, 1
        jmp     .key
.mark:
        push    es
        mov     es, [buffer]
        xor     di, di
        mov     si, text_signature
        mov     cx, SECTOR / 2
        rep     movsw
        pop     es
        mov     eax, MARKED_SECTOR
        mov     cx, 1
        call    disk_write
        jc      .done
        mov     word [error_text], text_marked
        stc
.done:
        ret

text_percent      db 13, "Percent complete: ", 0
text_told_to_fail db "told to fail by -standinfail", 0
text_too_small    db "disk 1 is smaller than the image", 0
text_mark         db "This disk has not been marked as one that Ghost has seen before.", 13, 10
                  db "[ Mark ]  [ Continue without marking ]   Tab: other choice, Enter: take it", 13, 10, 0
text_unmarked     db "Continuing without marking", 13, 10, 0
text_marked       db "the disk was marked, which changes it: Tab was to be pressed before Enter", 0
text_signature    db "MARKED BY THE STAND-IN FOR GHOST.EXE"
                  times SECTOR - ($ - text_signature) db 0

        section .bss
sectors         resd 1                  ; of the image
position        resd 1                  ; the next sector
chunk           resd 1                  ; how many sectors are moved now
sum_first       resd 1
sum_second      resd 1
fetch           resw 1
store           resw 1
percent         resb 1
        section .text
