// SPDX-License-Identifier: GPL-2.0-or-later
#include "screen.h"
#include "guest.h"

#include <fcntl.h>
#include <linux/kd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

volatile uint8_t *video;

static void console_draws(int mode)
{
	int console = open("/dev/tty1", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (console < 0 || ioctl(console, KDSETMODE, mode))
		guest_fail("the console cannot be told who draws");
	close(console);
}

void screen_open(void)
{
	int memory;

	console_draws(KD_GRAPHICS);
	if (video)
		return;
	memory = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);
	if (memory < 0 || iopl(3))
		guest_fail("no /dev/mem or no ports");
	video = mmap(NULL, 0x20000, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0xa0000);
	if (video == MAP_FAILED)
		guest_fail("video memory cannot be mapped");
	close(memory);
}

void screen_close(void)
{
	console_draws(KD_TEXT);
}

const struct vga_mode *find_mode(unsigned int number)
{
	for (size_t i = 0; i < sizeof(vga_modes) / sizeof(vga_modes[0]); i++)
		if (vga_modes[i].number == number)
			return &vga_modes[i];
	return NULL;
}

void set_registers(const struct vga_mode *mode)
{
	uint16_t crtc = mode->misc_output & 1 ? 0x3d4 : 0x3b4;

	set(SEQUENCER, 0, 1);
	outb(mode->misc_output, 0x3c2);
	for (int i = 1; i < 5; i++)
		set(SEQUENCER, i, mode->sequencer[i]);
	set(SEQUENCER, 0, 3);
	set(crtc, 0x11, mode->crtc[0x11] & 0x7f);
	for (int i = 0; i < 25; i++)
		set(crtc, i, mode->crtc[i]);
	for (int i = 0; i < 9; i++)
		set(GRAPHICS, i, mode->graphics[i]);
	inb(crtc + 6);
	for (int i = 0; i < 21; i++) {
		outb(i, ATTRIBUTE);
		outb(mode->attribute[i], ATTRIBUTE);
	}
	outb(0x20, ATTRIBUTE);
}
