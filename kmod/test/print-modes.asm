; Boot sector: has the VGA BIOS set each mode and writes the registers it chose to the debug console (port E9h),
; 62 bytes a mode: number, miscellaneous output, 5 sequencer, 25 CRTC, 9 graphics, 21 attribute registers.
; modes.h was made so:
;   nasm -f bin -o boot print-modes.asm
;   qemu-system-x86_64 -display none -no-reboot -debugcon file:modes -drive format=raw,file=boot
bits 16
org 7C00h
	xor ax, ax
	mov ds, ax
	mov ss, ax
	mov sp, 7C00h
	cld
	mov si, modes
next:	lodsb
	cmp al, 0FFh
	je done
	out 0E9h, al
	mov di, ax		; twice: between colour and monochrome this BIOS
	xor ah, ah		; writes the CRTC where it was before
	int 10h
	mov ax, di
	xor ah, ah
	int 10h
	mov dx, 3CCh
	in al, dx
	out 0E9h, al
	mov bx, 3D4h		; CRTC
	test al, 1
	jnz colour
	mov bx, 3B4h
colour:	mov dx, 3C4h
	mov cl, 5
	call indexed
	mov dx, bx
	mov cl, 25
	call indexed
	mov dx, 3CEh
	mov cl, 9
	call indexed
	xor ah, ah
attribute:
	lea dx, [bx + 6]	; status: an index is next
	in al, dx
	mov dx, 3C0h
	mov al, ah
	out dx, al
	inc dx
	in al, dx
	out 0E9h, al
	inc ah
	cmp ah, 21
	jb attribute
	jmp next

; CL registers behind the index port DX.
indexed:
	xor ah, ah
.one:	mov al, ah
	out dx, al
	inc dx
	in al, dx
	out 0E9h, al
	dec dx
	inc ah
	cmp ah, cl
	jb .one
	ret

; A triple fault, which QEMU takes for the end.
done:	lidt [none]
	int3
none:	dw 0
	dd 0
modes:	db 1, 3, 7, 4, 6, 0Dh, 0Eh, 0Fh, 10h, 11h, 12h, 13h, 0FFh
	times 510 - ($ - $$) db 0
	dw 0AA55h
