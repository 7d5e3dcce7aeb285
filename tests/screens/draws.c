// SPDX-License-Identifier: GPL-2.0-or-later
/* Tells the first console that a program draws on it by itself, as X does. */
#include <fcntl.h>
#include <linux/kd.h>
#include <sys/ioctl.h>

int main(void)
{
	int console = open("/dev/tty1", O_RDWR | O_NOCTTY | O_CLOEXEC);

	return console < 0 || ioctl(console, KDSETMODE, KD_GRAPHICS);
}
