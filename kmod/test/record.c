// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * PID 1 of a virtual PC: shows a pattern in each mode. For each, a snapshot goes to the debug console (port E9h: a name
 * of 16 bytes, then the snapshot); then "screendump NAME" goes to the serial line, and a line is waited for.
 */
#include "guest.h"
#include "screen.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { PLANES = 4, PLANE_LENGTH = 65536, GLYPH_STRIDE = 32, TEXT_WINDOW = 0x18000, MONO_WINDOW = 0x10000 };

struct scene {
	const char *name;
	unsigned int mode;
	void (*draw)(void);
};

static struct snapshot shot;

/* One plane at a time at 0xA0000, as long as the mode's own registers are away. */
static void open_planes(void)
{
	set(SEQUENCER, 4, 0x06);
	set(GRAPHICS, 0, 0);
	set(GRAPHICS, 1, 0);
	set(GRAPHICS, 3, 0);
	set(GRAPHICS, 5, 0);
	set(GRAPHICS, 6, 0x05);
	set(GRAPHICS, 8, 0xff);
}

static void clear(void)
{
	open_planes();
	set(SEQUENCER, 2, 0x0b);
	for (unsigned int i = 0; i < PLANE_LENGTH; i++)
		video[i] = 0;
}

/* Halves the BIOS font's height into the second font, and turns it upside down into the third. */
static void make_fonts(void)
{
	open_planes();
	set(SEQUENCER, 2, 0x04);
	set(GRAPHICS, 4, 2);
	for (unsigned int glyph = 0; glyph < 256; glyph++) {
		volatile uint8_t *from = video + glyph * GLYPH_STRIDE;

		for (unsigned int row = 0; row < 8; row++)
			from[0x4000 + row] = from[2 * row] | from[2 * row + 1];
		for (unsigned int row = 0; row < 16; row++)
			from[0x8000 + row] = from[15 - row];
	}
}

/* 64 colours as on an EGA, the rest a gradient. */
static void load_colours(void)
{
	outb(0, DAC_WRITE);
	for (unsigned int i = 0; i < 256; i++) {
		outb(i < 64 ? (i >> 2 & 1) * 42 + (i >> 5 & 1) * 21 : i / 4, DAC_VALUE);
		outb(i < 64 ? (i >> 1 & 1) * 42 + (i >> 4 & 1) * 21 : 63 - i / 4, DAC_VALUE);
		outb(i < 64 ? (i & 1) * 42 + (i >> 3 & 1) * 21 : (i & 15) * 4, DAC_VALUE);
	}
}

static void hide_cursor(void)
{
	set(CRTC, 0x0a, 0x20);
}

/* All characters, in all colours without the bit that may blink, from that cell on. */
static void write_cells(unsigned int window, unsigned int first, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		video[window + 2 * (first + i)] = (uint8_t)(i + i / 256);
		video[window + 2 * (first + i) + 1] = (uint8_t)((i / 3) & 0x7f);
	}
}

static void draw_text(void)
{
	hide_cursor();
	write_cells(TEXT_WINDOW, 0, 80 * 25);
}

static void draw_text_40(void)
{
	hide_cursor();
	write_cells(TEXT_WINDOW, 0, 40 * 25);
}

static void draw_mono(void)
{
	set(0x3b4, 0x0a, 0x20);
	write_cells(MONO_WINDOW, 0, 80 * 25);
}

/* 80x50 with the second font; scrolled; sixteen background colours instead of blinking. */
static void draw_text_50(void)
{
	hide_cursor();
	set(CRTC, 0x09, 0x47);
	set(CRTC, 0x0c, 0x02);
	set(CRTC, 0x0d, 0x80);
	set(SEQUENCER, 3, 0x05);
	inb(STATUS);
	outb(0x10, ATTRIBUTE);
	outb(0x04, ATTRIBUTE);
	outb(0x20, ATTRIBUTE);
	write_cells(TEXT_WINDOW, 0x280, 80 * 50);
	for (unsigned int i = 0; i < 16; i++)
		video[TEXT_WINDOW + 2 * (0x280 + i) + 1] = (uint8_t)(i << 4 | (15 - i));
}

/* Two fonts at once: bit 3 of the attribute takes the one that is upside down. */
static void draw_two_fonts(void)
{
	hide_cursor();
	set(SEQUENCER, 3, 0x08);
	write_cells(TEXT_WINDOW, 0, 80 * 25);
}

/* Checks of another size in each plane, and a slope that nothing symmetric has. */
static uint8_t checks(unsigned int plane, unsigned int column, unsigned int row)
{
	unsigned int size = 1u << plane;
	bool set = (column / size + row / (size * 4)) & 1;

	return (uint8_t)((set ? 0xff : 0) ^ (column == row / 4 + plane ? 0x1f : 0));
}

static void draw_checks(unsigned int columns, unsigned int rows)
{
	for (unsigned int plane = 0; plane < PLANES; plane++) {
		set(SEQUENCER, 2, (uint8_t)(1u << plane));
		for (unsigned int i = 0; i < columns * rows; i++)
			video[i] = checks(plane, i % columns, i / columns);
	}
}

static void draw_320x200(void)
{
	draw_checks(40, 200);
}

static void draw_640x200(void)
{
	draw_checks(80, 200);
}

static void draw_640x350(void)
{
	draw_checks(80, 350);
}

static void draw_640x480(void)
{
	draw_checks(80, 480);
}

/* The lower part of the screen shows the start of memory, the upper one what is further on. */
static void draw_split(void)
{
	draw_checks(80, 600);
	set(CRTC, 0x0c, 0x25);
	set(CRTC, 0x0d, 0x85);
	set(CRTC, 0x18, 0x2c);
	set(CRTC, 0x07, find_mode(0x12)->crtc[7] | 0x10);
	set(CRTC, 0x09, find_mode(0x12)->crtc[9] & ~0x40);
}

/* As a program does for CGA: even rows in the first 8 KiB, odd ones in the second. */
static void draw_cga(void)
{
	for (unsigned int row = 0; row < 200; row++)
		for (unsigned int column = 0; column < 80; column++)
			video[TEXT_WINDOW + (row & 1) * 0x2000 + row / 2 * 80 + column] =
				(uint8_t)((column / 5 * 0x11 + row / 10) ^ (column == row / 4 ? 0xc9 : 0));
}

static void draw_256(void)
{
	for (unsigned int row = 0; row < 200; row++)
		for (unsigned int column = 0; column < 320; column++)
			video[row * 320 + column] = (uint8_t)(column / 4 + row / 2 * 3 + (column == row ? 99 : 0));
}

/* 320x200 without the chain, one and a half pages down. */
static void draw_unchained(void)
{
	set(SEQUENCER, 4, 0x06);
	set(CRTC, 0x14, 0x00);
	set(CRTC, 0x17, 0xe3);
	set(CRTC, 0x0c, 0x3e);
	set(CRTC, 0x0d, 0x80);
	for (unsigned int plane = 0; plane < PLANES; plane++) {
		set(SEQUENCER, 2, (uint8_t)(1u << plane));
		for (unsigned int i = 0; i < 80 * 200; i++)
			video[0x3e80 + i] = (uint8_t)(i % 80 + i / 80 / 4 + plane * 40 + (i % 80 == i / 80 ? 7 : 0));
	}
}

static const struct scene scenes[] = {
	{ "text-80x25", 0x03, draw_text },
	{ "text-80x50", 0x03, draw_text_50 },
	{ "text-40x25", 0x01, draw_text_40 },
	{ "text-mono", 0x07, draw_mono },
	{ "text-two-fonts", 0x03, draw_two_fonts },
	{ "mode-04", 0x04, draw_cga },
	{ "mode-06", 0x06, draw_cga },
	{ "mode-0d", 0x0d, draw_320x200 },
	{ "mode-0e", 0x0e, draw_640x200 },
	{ "mode-0f", 0x0f, draw_640x350 },
	{ "mode-10", 0x10, draw_640x350 },
	{ "mode-11", 0x11, draw_640x480 },
	{ "mode-12", 0x12, draw_640x480 },
	{ "mode-12-split", 0x12, draw_split },
	{ "mode-13", 0x13, draw_256 },
	{ "mode-x", 0x13, draw_unchained },
};

static void send(const char *name)
{
	char title[16] = "";

	strncpy(title, name, sizeof(title) - 1);
	outsb(0xe9, title, sizeof(title));
	outsb(0xe9, &shot, sizeof(shot));
}

static void show(const struct scene *scene)
{
	char line[16];
	int error;

	clear();
	load_colours();
	set_registers(find_mode(scene->mode));
	scene->draw();
	error = take_snapshot(&shot);
	if (error) {
		errno = error;
		guest_fail(scene->name);
	}
	send(scene->name);
	printf("screendump %s\n", scene->name);
	if (!fgets(line, sizeof(line), stdin))
		guest_fail("nobody answers");
}

int main(void)
{
	guest_start();
	errno = load_module("/ghostvga.ko");
	if (errno)
		guest_fail("the module does not load");
	screen_open();
	make_fonts();
	for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++)
		show(&scenes[i]);
	guest_end();
}
