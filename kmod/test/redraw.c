// SPDX-License-Identifier: GPL-2.0-or-later
#include "redraw.h"
#include "screen.h"

#include <stdio.h>
#include <string.h>

enum { PLANES = 4, PLANE_LENGTH = 65536, COLOURS = 256 };

/* What must be in video memory and in the DAC. */
static uint8_t drawn[PLANES][PLANE_LENGTH];
static uint8_t colours[COLOURS * 3];
static uint8_t palette[16];
static uint32_t seed = 1;
static int wrong;

static uint32_t chance(uint32_t below)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % below;
}

/* Where a snapshot would do harm, it is given time to. */
static void linger(void)
{
	for (volatile int pause = 0; pause < 4000; pause++)
		;
}

/* Damage must be seen before the next stroke draws over it. */
static void expect(const char *what, unsigned int at, unsigned int found, unsigned int wanted)
{
	if (found != wanted && wrong++ < 8)
		printf("%s %u: %02x, drawn %02x\n", what, at, found, wanted);
}

static void expect_bytes(unsigned int plane, unsigned int at, unsigned int length)
{
	static const char *const names[PLANES] = { "plane 0", "plane 1", "plane 2", "plane 3" };

	set(GRAPHICS, 4, (uint8_t)plane);
	for (unsigned int i = at; i < at + length; i++)
		expect(names[plane], i, video[i], drawn[plane][i]);
}

static void expect_colours(unsigned int first, unsigned int count)
{
	outb((uint8_t)first, DAC_READ);
	for (unsigned int i = first * 3; i < (first + count) * 3; i++)
		expect("colour component", i, inb(DAC_VALUE), colours[i]);
}

/* Plain stores to any choice of planes. */
static void fill(void)
{
	unsigned int planes = chance(16), at = chance(PLANE_LENGTH - 64), length = 1 + chance(64);
	uint8_t value = (uint8_t)chance(256);

	expect_bytes(chance(PLANES), at, length);
	set(SEQUENCER, 2, (uint8_t)planes);
	for (unsigned int i = at; i < at + length; i++)
		video[i] = value;
	for (unsigned int plane = 0; plane < PLANES; plane++)
		if (planes & 1u << plane)
			memset(drawn[plane] + at, value, length);
}

/* Some pixels of a byte in one colour: load to fill the latches, store under a bit mask. */
static void pixels(void)
{
	unsigned int at = chance(PLANE_LENGTH), colour = chance(16), mask = chance(256);

	set(SEQUENCER, 2, 0x0f);
	set(GRAPHICS, 0, (uint8_t)colour);
	set(GRAPHICS, 1, 0x0f);
	set(GRAPHICS, 8, (uint8_t)mask);
	(void)video[at];
	linger();
	video[at] = 0;
	set(GRAPHICS, 8, 0xff);
	set(GRAPHICS, 1, 0);
	for (unsigned int plane = 0; plane < PLANES; plane++)
		drawn[plane][at] = (uint8_t)((drawn[plane][at] & ~mask) | (colour & 1u << plane ? mask : 0));
	for (unsigned int plane = 0; plane < PLANES; plane++)
		expect_bytes(plane, at, 1);
}

/* All planes at once from one place to another, through the latches. */
static void move(void)
{
	unsigned int from = chance(PLANE_LENGTH - 32), to = chance(PLANE_LENGTH - 32);

	set(SEQUENCER, 2, 0x0f);
	set(GRAPHICS, 5, 0x01);
	for (unsigned int i = 0; i < 32; i++)
		video[to + i] = video[from + i];
	set(GRAPHICS, 5, 0);
	for (unsigned int plane = 0; plane < PLANES; plane++)
		for (unsigned int i = 0; i < 32; i++)
			drawn[plane][to + i] = drawn[plane][from + i];
}

static void recolour(void)
{
	unsigned int first = 16 + chance(COLOURS - 16 - 8);

	outb((uint8_t)first, DAC_WRITE);
	for (unsigned int i = first * 3; i < (first + 8) * 3; i++) {
		colours[i] = (uint8_t)chance(64);
		outb(colours[i], DAC_VALUE);
		linger();
	}
	expect_colours(first, 8);
}

static void remap(void)
{
	unsigned int index = chance(16);

	palette[index] = (uint8_t)chance(64);
	inb(STATUS);
	outb((uint8_t)index, ATTRIBUTE);
	linger();
	outb(palette[index], ATTRIBUTE);
	outb(0x20, ATTRIBUTE);
}

static void expect_palette(void)
{
	for (unsigned int i = 0; i < 16; i++) {
		inb(STATUS);
		outb((uint8_t)i, ATTRIBUTE);
		expect("palette", i, inb(ATTRIBUTE + 1), palette[i]);
	}
	inb(STATUS);
	outb(0x20, ATTRIBUTE);
}

int redraw_until(const volatile int *stop, unsigned long *strokes)
{
	const struct vga_mode *mode = find_mode(0x12);

	set_registers(mode);
	set(SEQUENCER, 2, 0x0f);
	for (unsigned int i = 0; i < PLANE_LENGTH; i++)
		video[i] = 0;
	memset(drawn, 0, sizeof(drawn));
	memcpy(palette, mode->attribute, sizeof(palette));
	outb(16, DAC_WRITE);
	for (unsigned int i = 16 * 3; i < COLOURS * 3; i++)
		outb(0, DAC_VALUE);
	memset(colours, 0, sizeof(colours));

	for (*strokes = 0; !*stop; ++*strokes) {
		for (int i = 0; i < 4; i++)
			fill();
		pixels();
		move();
		if (*strokes % 16 == 0) {
			recolour();
			remap();
		}
	}
	for (unsigned int plane = 0; plane < PLANES; plane++)
		expect_bytes(plane, 0, PLANE_LENGTH);
	expect_colours(16, COLOURS - 16);
	expect_palette();
	return wrong;
}
