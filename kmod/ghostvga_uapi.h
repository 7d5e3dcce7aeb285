/* SPDX-License-Identifier: GPL-2.0-or-later WITH Linux-syscall-note */
/*
 * What a read of /dev/ghostvga returns: one header, the four planes of video memory, and the window through
 * which programs see that memory at the time.
 *
 *	header	GHOSTVGA_HEADER_LENGTH bytes
 *	planes	4 * GHOSTVGA_PLANE_LENGTH bytes, plane 0 first
 *	window	GHOSTVGA_PLANE_LENGTH bytes, of which the first window_length count; the rest are 0
 *
 * Numbers are little-endian, as on the only architecture that has a VGA. Registers are as the hardware gave
 * them, named as in the IBM VGA's manual. init/src/screen/vga/snapshot.rs reads this; a test there compiles both.
 */
#ifndef GHOSTVGA_UAPI_H
#define GHOSTVGA_UAPI_H

#include <linux/types.h>

#define GHOSTVGA_DEVICE		"/dev/ghostvga"
#define GHOSTVGA_MAGIC		"GHOSTVGA"
#define GHOSTVGA_VERSION	1
#define GHOSTVGA_HEADER_LENGTH	1024
#define GHOSTVGA_PLANES		4
#define GHOSTVGA_PLANE_LENGTH	65536
#define GHOSTVGA_LENGTH \
	(GHOSTVGA_HEADER_LENGTH + (GHOSTVGA_PLANES + 1) * GHOSTVGA_PLANE_LENGTH)

/* The mode changed each time the snapshot was tried: registers and planes may not belong together. */
#define GHOSTVGA_FLAG_MODE_CHANGED	0x01
/* The colours were being changed each time one looked: the DAC was left alone, and dac[] is 0. */
#define GHOSTVGA_FLAG_DAC_BUSY		0x02
/*
 * The program had its drawing set so that a store uses what its last load left in the latches, and a read by
 * anybody else replaces that. It did not end in the time allowed, so up to eight pixels may be drawn wrongly.
 */
#define GHOSTVGA_FLAG_LATCHES_IN_USE	0x04

/* What the registers make of the planes. */
enum ghostvga_mode {
	GHOSTVGA_MODE_TEXT		= 1,	/* characters, attributes, font */
	GHOSTVGA_MODE_PLANAR		= 2,	/* a bit a plane: 0Dh, 0Eh, 10h, 12h; one plane alone: 6, 0Fh, 11h */
	GHOSTVGA_MODE_INTERLEAVED	= 3,	/* two bits a pixel, shift registers interleaved: 4, 5 */
	GHOSTVGA_MODE_CHAINED		= 4,	/* a byte a pixel, four planes in a chain: 13h */
	GHOSTVGA_MODE_UNCHAINED		= 5,	/* a byte a pixel, planes apart: "mode X" */
};

struct ghostvga_header {
	__u8	magic[8];		/* GHOSTVGA_MAGIC, without a final 0 */
	__u16	version;		/* GHOSTVGA_VERSION */
	__u16	header_length;		/* bytes before plane 0 */
	__u32	plane_length;		/* bytes a plane */
	__u64	taken_ns;		/* CLOCK_BOOTTIME when it was complete, ns */
	__u32	longest_stop_ns;	/* the longest that all processors stood still at a time, ns */
	__u32	stops;			/* how many times they did */
	__u32	flags;			/* GHOSTVGA_FLAG_* */
	__u32	window_address;		/* where programs see video memory: 0xA0000, 0xB0000 or 0xB8000 */
	__u32	window_length;		/* bytes; 0 where they see a plane at a time anyway */
	__u8	mode;			/* enum ghostvga_mode */
	__u8	misc_output;		/* port 3CCh */
	__u8	feature_control;	/* port 3CAh */
	__u8	input_status;		/* port 3C2h */
	__u8	sequencer_index;	/* port 3C4h */
	__u8	graphics_index;		/* port 3CEh */
	__u8	crtc_index;		/* port 3D4h or 3B4h */
	__u8	attribute_index;	/* port 3C0h: bit 5 is clear while the screen is blanked */
	__u8	attribute_awaits_data;	/* 1: the next write to port 3C0h is a value */
	__u8	dac_mask;		/* port 3C6h */
	__u8	dac_state;		/* port 3C7h: 0 being written, 3 being read */
	__u8	dac_index;		/* port 3C8h */
	__u8	sequencer[8];		/* 5 are defined */
	__u8	crtc[32];		/* 25 are defined */
	__u8	graphics[16];		/* 9 are defined */
	__u8	attribute[32];		/* 21 are defined */
	__u8	dac[768];		/* red, green, blue of 256 colours */
	__u8	reserved[112];		/* 0 */
};

#endif /* GHOSTVGA_UAPI_H */
