// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

void guest_start(void)
{
	int serial;

	mkdir("/dev", 0755);
	mkdir("/proc", 0755);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mount("proc", "/proc", "proc", 0, NULL);
	serial = open("/dev/ttyS0", O_RDWR | O_NOCTTY);
	if (serial < 0)
		guest_end();
	dup2(serial, STDIN_FILENO);
	dup2(serial, STDOUT_FILENO);
	dup2(serial, STDERR_FILENO);
	setvbuf(stdout, NULL, _IOLBF, 0);
}

void guest_end(void)
{
	printf("the end\n");
	tcdrain(STDOUT_FILENO);
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

void guest_fail(const char *what)
{
	printf("FAILED - %s: %s\n", what, strerror(errno));
	guest_end();
}

int load_module(const char *path)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	int result;

	if (file < 0)
		return errno;
	result = syscall(SYS_finit_module, file, "", 0) ? errno : 0;
	close(file);
	return result;
}

int unload_module(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? errno : 0;
}

int take_snapshot(struct snapshot *into)
{
	int file = open(GHOSTVGA_DEVICE, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (file < 0)
		return errno;
	length = read(file, into, sizeof(*into));
	close(file);
	return length == sizeof(*into) && !memcmp(into->header.magic, GHOSTVGA_MAGIC, 8) ? 0 : EIO;
}
