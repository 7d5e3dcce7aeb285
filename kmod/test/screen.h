/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A program's own hands on the VGA: ports and /dev/mem, as a DOS emulator has them. */
#ifndef SCREEN_H
#define SCREEN_H

#include <stdint.h>
#include <sys/io.h>

#include "modes.h"

/* 128 KiB at 0xA0000. */
extern volatile uint8_t *video;

/* Gets the ports and the memory, and keeps the kernel's console from drawing. */
void screen_open(void);
/* Gives the console its screen back. */
void screen_close(void);

/* The mode of that BIOS number; NULL if modes.h does not have it. */
const struct vga_mode *find_mode(unsigned int number);
/* Writes all registers. Neither clears the memory nor loads a font or colours. */
void set_registers(const struct vga_mode *mode);

/* Index and value in one access. */
static inline void set(uint16_t port, uint8_t index, uint8_t value)
{
	outw((uint16_t)(index | value << 8), port);
}

static inline uint8_t get(uint16_t port, uint8_t index)
{
	outb(index, port);
	return inb(port + 1);
}

enum { ATTRIBUTE = 0x3c0, SEQUENCER = 0x3c4, DAC_READ = 0x3c7, DAC_WRITE = 0x3c8, DAC_VALUE = 0x3c9,
       GRAPHICS = 0x3ce, CRTC = 0x3d4, STATUS = 0x3da };

#endif
