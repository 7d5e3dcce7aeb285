/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A program that draws at full speed in 640x480x16 and knows what must be there. */
#ifndef REDRAW_H
#define REDRAW_H

/* Sets the mode, draws until *stop is not 0, then compares; returns how many bytes, colours or registers are wrong. */
int redraw_until(const volatile int *stop, unsigned long *strokes);

#endif
