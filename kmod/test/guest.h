/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the programs in this folder share: each is the only one in a virtual PC, its PID 1. */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "../ghostvga_uapi.h"

struct snapshot {
	struct ghostvga_header header;
	unsigned char planes[GHOSTVGA_PLANES][GHOSTVGA_PLANE_LENGTH];
	unsigned char window[GHOSTVGA_PLANE_LENGTH];
};

/* Mounts what is needed, puts standard output on the serial line. */
void guest_start(void);
/* Switches the PC off. */
void guest_end(void) __attribute__((noreturn));
/* Says what went wrong and switches the PC off. */
void guest_fail(const char *what) __attribute__((noreturn));

/* Loads or unloads a module; 0 or an errno. */
int load_module(const char *path);
int unload_module(const char *name);

/* 0 or the errno of opening, or EIO if it did not read as a whole snapshot. */
int take_snapshot(struct snapshot *into);

#endif
