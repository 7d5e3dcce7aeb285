// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * PID 1 of a virtual PC: loads ghostvga.ko and tries on it what could go wrong. One line a check on the serial line,
 * "passed - …" or "FAILED - …", then it switches off. The environment (kernel command line) says how much of it:
 * OPENS=n, CAPTURES=n; EXPECT=none for a PC without a VGA; DRM=n for modules /drm/0.ko… to be loaded at the end.
 */
#include "guest.h"
#include "redraw.h"
#include "screen.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct snapshot shot;

__attribute__((format(printf, 2, 3)))
static void check(bool holds, const char *format, ...)
{
	va_list values;

	printf(holds ? "passed - " : "FAILED - ");
	va_start(values, format);
	vprintf(format, values);
	va_end(values);
	printf("\n");
}

static int number(const char *name, int otherwise)
{
	const char *value = getenv(name);

	return value ? atoi(value) : otherwise;
}

static void print_on_console(const char *text)
{
	int console = open("/dev/tty1", O_WRONLY | O_NOCTTY | O_CLOEXEC);

	if (console < 0 || write(console, text, strlen(text)) < 0)
		guest_fail("the console cannot be written");
	close(console);
}

/* Kilobytes of that name in /proc/meminfo. */
static long kilobytes(const char *name)
{
	FILE *file = fopen("/proc/meminfo", "re");
	char line[128];
	long found = -1;

	if (!file)
		guest_fail("/proc/meminfo");
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ':')
			found = atol(line + strlen(name) + 1);
	fclose(file);
	return found;
}

static bool file_contains(const char *path, const char *text)
{
	FILE *file = fopen(path, "re");
	char line[512];
	bool found = false;

	if (!file)
		guest_fail(path);
	while (fgets(line, sizeof(line), file))
		found = found || strstr(line, text);
	fclose(file);
	return found;
}

static void check_device(void)
{
	struct stat about;
	int file;

	check(stat(GHOSTVGA_DEVICE, &about) == 0 && S_ISCHR(about.st_mode) && (about.st_mode & 07777) == 0400,
	      "%s is there, mode 0400", GHOSTVGA_DEVICE);
	file = open(GHOSTVGA_DEVICE, O_RDWR | O_CLOEXEC);
	check(file >= 0 && write(file, "", 1) < 0 && errno == EINVAL, "it takes no writes");
	close(file);
}

static void check_text(void)
{
	static const char text[] = "Ghost4Linux: who is there?";
	int error;
	bool cells = true, attributes = true;
	unsigned int start;

	print_on_console("\033[2J\033[H\033[1;33;44m");
	print_on_console(text);
	error = take_snapshot(&shot);
	check(error == 0, "a snapshot: %s", strerror(error));
	check(shot.header.mode == GHOSTVGA_MODE_TEXT && shot.header.flags == 0, "of a text mode, undisturbed");
	start = 2u * (shot.header.crtc[12] << 8 | shot.header.crtc[13]);
	for (unsigned int i = 0; text[i]; i++) {
		cells = cells && shot.window[start + 2 * i] == text[i];
		attributes = attributes && shot.window[start + 2 * i + 1] == 0x1e;
	}
	check(cells, "the window has the console's text");
	check(attributes, "and its colours, yellow on blue");
	check(memmem(shot.planes[0], GHOSTVGA_PLANE_LENGTH, text, 5) != NULL || shot.planes[0][start + 2] == text[1],
	      "plane 0 has the characters");
	check(memcmp(shot.planes[2] + 32 * 'A', "\0\0\0\0", 4) && memcmp(shot.planes[2] + 32 * 'A', shot.planes[2] + 32 * 'B', 16),
	      "plane 2 has a font");
	check(shot.header.dac[3 * 1 + 2] != 0, "the DAC has colours");
	print_on_console("\033[0m");
}

static void check_reading(void)
{
	static struct snapshot parts;
	char *to = (char *)&parts;
	int file = open(GHOSTVGA_DEVICE, O_RDONLY | O_CLOEXEC);
	ssize_t length, sum = 0;

	while ((length = read(file, to + sum, 4093)) > 0)
		sum += length;
	check(sum == GHOSTVGA_LENGTH && length == 0, "it can be read in parts, and ends");
	check(lseek(file, 0, SEEK_END) == GHOSTVGA_LENGTH && pread(file, &shot, sizeof(shot), 0) == sizeof(shot) &&
	      !memcmp(&shot, &parts, sizeof(shot)), "and again from the start, the same");
	check(unload_module("ghostvga") == EAGAIN || errno == EWOULDBLOCK, "the module stays while the device is open");
	close(file);
}

/* Everything that can be read must be as before, the open write to the attribute controller included. */
static void check_registers(void)
{
	static struct snapshot again;
	bool same;

	screen_open();
	outb(7, SEQUENCER);
	outb(5, GRAPHICS);
	outb(0x0e, CRTC);
	outb(33, DAC_WRITE);
	inb(STATUS);
	outb(0x20 | 3, ATTRIBUTE);
	take_snapshot(&shot);
	check(inb(SEQUENCER) == 7 && inb(GRAPHICS) == 5 && inb(CRTC) == 0x0e, "index registers are put back");
	check(inb(DAC_WRITE) == 33 && (inb(DAC_READ) & 3) == 0, "so is the DAC's");
	check(shot.header.attribute_awaits_data, "an attribute register was about to be written, and it noticed");
	outb(0x2a, ATTRIBUTE);
	take_snapshot(&again);
	check(again.header.attribute[3] == 0x2a && !again.header.attribute_awaits_data, "the value arrived there");
	inb(STATUS);
	outb(3, ATTRIBUTE);
	outb(shot.header.attribute[3], ATTRIBUTE);
	inb(STATUS);
	outb(0x20, ATTRIBUTE);
	take_snapshot(&again);
	same = !memcmp(shot.header.sequencer, again.header.sequencer, sizeof(shot.header.sequencer)) &&
	       !memcmp(shot.header.graphics, again.header.graphics, sizeof(shot.header.graphics)) &&
	       !memcmp(shot.header.crtc, again.header.crtc, sizeof(shot.header.crtc)) &&
	       !memcmp(shot.header.attribute, again.header.attribute, sizeof(shot.header.attribute)) &&
	       !memcmp(shot.header.dac, again.header.dac, sizeof(shot.header.dac)) &&
	       shot.header.misc_output == again.header.misc_output;
	check(same, "a snapshot changes no register");
	screen_close();
}

/* Takes count snapshots; how many failed. */
static int take_many(int count)
{
	int failed = 0;

	for (int i = 0; i < count; i++)
		failed += take_snapshot(&shot) != 0;
	return failed;
}

static void check_two_openers(int count)
{
	pid_t other = fork();
	int status = 0, failed;

	if (other == 0)
		_exit(take_many(count) != 0);
	failed = take_many(count);
	waitpid(other, &status, 0);
	check(failed == 0 && status == 0, "two openers at once, %d times each", count);
}

static void check_leaks(int opens)
{
	long slab, vmalloc, unreclaimable;
	int failed;

	take_many(20);
	slab = kilobytes("Slab");
	unreclaimable = kilobytes("SUnreclaim");
	vmalloc = kilobytes("VmallocUsed");
	failed = take_many(opens);
	printf("slab %ld -> %ld kB, unreclaimable %ld -> %ld kB, vmalloc %ld -> %ld kB\n", slab, kilobytes("Slab"),
	       unreclaimable, kilobytes("SUnreclaim"), vmalloc, kilobytes("VmallocUsed"));
	check(failed == 0, "%d opens, %d failed", opens, failed);
	/* One object a open, of the smallest kind there is, would be 8 bytes. */
	check((kilobytes("SUnreclaim") - unreclaimable) * 1024 < 8L * opens + 65536, "no slab leaks");
	check(kilobytes("VmallocUsed") - vmalloc < 321, "no snapshot is kept");
	check(!file_contains("/proc/vmallocinfo", "ghostvga_open"), "nor any mapping");
	check(!file_contains("/proc/iomem", "ghostvga"), "nor video memory claimed");
}

static void check_redraw(int captures)
{
	volatile int *stop = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned long *strokes = (unsigned long *)(stop + 16);
	int failed = 0, waited = 0, status = 0;
	pid_t drawer;

	screen_open();
	drawer = fork();
	if (drawer == 0)
		_exit(redraw_until(stop, strokes) != 0);
	for (int i = 0; i < captures; i++) {
		failed += take_snapshot(&shot) != 0;
		waited += shot.header.flags != 0;
	}
	*stop = 1;
	waitpid(drawer, &status, 0);
	check(failed == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0,
	      "%d captures of a program that draws at full speed disturb nothing (%lu strokes; %d captures flagged)",
	      captures, *strokes, waited);
	munmap((void *)stop, 4096);
	set_registers(find_mode(3));
	screen_close();
}

static void check_mode_switches(int count)
{
	static const unsigned char numbers[] = { 3, 0x12, 0x13, 4, 0x0d, 7, 1 };
	pid_t switcher;
	int failed = 0, status;

	screen_open();
	switcher = fork();
	/*
	 * A snapshot takes tens of milliseconds there, so many switches fall into each. Without the pause an emulator that
	 * maps video memory anew at each may let the other processor wait for minutes.
	 */
	if (switcher == 0)
		for (unsigned int i = 0;; i++) {
			set_registers(find_mode(numbers[i % sizeof(numbers)]));
			usleep(1000);
		}
	for (int i = 0; i < count; i++)
		failed += take_snapshot(&shot) != 0;
	kill(switcher, SIGKILL);
	waitpid(switcher, &status, 0);
	set_registers(find_mode(3));
	check(failed == 0, "%d opens while another program switches modes", count);
	take_snapshot(&shot);
	check(shot.header.mode == GHOSTVGA_MODE_TEXT && shot.header.flags == 0, "and then the text mode, undisturbed");
	screen_close();
}

static void check_unload(void)
{
	check(unload_module("ghostvga") == 0, "unloads");
	check(access(GHOSTVGA_DEVICE, F_OK) != 0, "the device is gone");
	check(load_module("/ghostvga.ko") == 0, "loads again");
}

/* A driver for the same PCI device displays from its own memory: the planes are not what a person sees. */
static void check_other_driver(int modules)
{
	char path[32];

	for (int i = 0; i < modules; i++) {
		snprintf(path, sizeof(path), "/drm/%d.ko", i);
		if (load_module(path))
			guest_fail(path);
	}
	for (int tries = 0; access("/dev/dri/card0", F_OK) && tries < 600; tries++)
		usleep(100000);
	check(take_snapshot(&shot) == ENODEV, "ENODEV while a DRM driver has the VGA");
}

int main(void)
{
	int opens = number("OPENS", 100), captures = number("CAPTURES", 100);
	int error;

	guest_start();
	error = load_module("/ghostvga.ko");
	if (getenv("EXPECT") && !strcmp(getenv("EXPECT"), "none")) {
		check(error == ENODEV, "ENODEV without a VGA");
		guest_end();
	}
	check(error == 0, "loads: %s", strerror(error));
	check_device();
	check_text();
	check_reading();
	check_registers();
	check_two_openers(captures / 10);
	check_redraw(captures);
	check_mode_switches(captures / 10);
	check_leaks(opens);
	printf("longest stop %u us, %u stops a snapshot\n", shot.header.longest_stop_ns / 1000, shot.header.stops);
	check_unload();
	if (number("DRM", 0))
		check_other_driver(number("DRM", 0));
	guest_end();
}
