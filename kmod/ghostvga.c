// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * /dev/ghostvga: a snapshot of what a VGA displays, registers and all four planes, each time it is opened.
 *
 * It is one file though it is long: what reads the registers, what puts them back, and for how long all processors are stopped
 * meanwhile can only be judged together.
 *
 * It writes no video memory and maps none to anybody. What it does write are registers, and it puts them back:
 * a plane can only be read after it was selected, the attribute controller and the DAC only by an index.
 *
 * When it refuses, and what else may use the VGA meanwhile:
 *
 *  - No VGA (-ENODEV): the VGA arbiter knows no default device of PCI class 0300h, or vgacon is not the console
 *    driver in use. Where firmware or boot loader left a linear frame buffer (UEFI, VESA), vgacon never is.
 *  - Another driver displays something else (-ENODEV): any driver bound to the VGA's PCI device (DRM, a
 *    frame buffer driver, vfio). The planes are then not what a person sees. The device lock is held during
 *    a snapshot, so no driver comes or goes in the middle.
 *  - Somebody claims the memory (-EBUSY): 0xA0000-0xBFFFF is requested for the time of a snapshot. vgacon does
 *    not claim it, so that this fails only if a real owner is there. It does claim the ports 3C0h-3DFh; they are
 *    not requested, for vgacon uses them under the console lock only, and that is held here.
 *  - Nothing but the console lock keeps vgacon out. It is tried for CONSOLE_WAIT_MS, then -EBUSY.
 *  - Programs that draw by themselves (ioperm and /dev/mem, as DOS emulators do) know no lock. They must never run
 *    while the registers are not theirs, on no processor. Hence stop_machine(): all others wait with interrupts
 *    off. One such stop reads CHUNK bytes of each plane and of the window, at most 20 KiB in 32-bit reads: with
 *    a slow card's 1 us a read that is 5 ms; the DAC and all registers, in a stop of their own, are 1 ms. The longest
 *    one measured is in the header. Between stops everybody runs, with their own registers. So the rows of a
 *    picture may differ by some milliseconds in age, like those of a rolling shutter, but never the four planes
 *    of one byte.
 *
 * What cannot be read from a VGA cannot be put back either; this is what is done instead:
 *
 *  - the four latches: see wait_for_latches();
 *  - how many of three colour components were written to the DAC: see read_dac();
 *  - whether the attribute controller awaits an index or a value: see read_attributes().
 *
 * System management mode and NMI handlers are expected to keep off the VGA, as everywhere in the kernel.
 *
 * All of it is in one file, long as it is: the steps of a snapshot share registers that must not be half put back,
 * and a module that DKMS builds on any kernel has nothing to link wrongly.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/build_bug.h>
#include <linux/console.h>
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/jiffies.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/sched/signal.h>
#include <linux/stop_machine.h>
#include <linux/timekeeping.h>
#include <linux/vgaarb.h>
#include <linux/vmalloc.h>
#include <video/vga.h>

#include "ghostvga_uapi.h"

#ifndef CONFIG_X86_64
#error "a VGA at its legacy addresses is expected, and 0xA0000-0xBFFFF not to be claimed by the architecture"
#endif

#define MEMORY_ADDRESS		0xa0000
#define MEMORY_LENGTH		0x20000

/* Bytes of each plane that are read in one stop. */
#define CHUNK			4096

/* Port 3C2h is input status register 0 when it is read, and VGA_MIS_W when it is written. */
#define INPUT_STATUS_0		0x3c2

/* How long others may keep the console lock before an open fails. */
#define CONSOLE_WAIT_MS		1000

/* How often what is not quiet (mode, DAC, latches of one chunk) is looked at again, a millisecond or two apart. */
#define MODE_TRIES		3
#define DAC_TRIES		20
#define LATCH_TRIES		20

/* Of 256 colours in turn, the same one is seen that often by chance once in 16 million. */
#define DAC_QUIET_LOOKS		4

/* No VGA has an attribute register of this index. */
#define ATTRIBUTE_NONE		0x1f
#define ATTRIBUTE_INDEX		0x1f

struct snapshot {
	struct ghostvga_header header;
	u8 planes[GHOSTVGA_PLANES][GHOSTVGA_PLANE_LENGTH];
	u8 window[GHOSTVGA_PLANE_LENGTH];
};

/* One snapshot while it is being made. */
struct capture {
	struct snapshot *into;
	void __iomem *memory;
	/* What is done in the next stop. -EAGAIN: not now. */
	int (*step)(struct capture *capture);
	unsigned int offset;
	unsigned int latch_tries;
	unsigned int dac_tries;
	unsigned int dac_quiet_looks;
	u8 dac_index;
	u8 dac_state;
};

static DEFINE_MUTEX(snapshot_mutex);

/* The CRT controller's index port, the status port: they move with a bit of the miscellaneous output register. */
static u16 crtc_port(u8 misc_output)
{
	return misc_output & VGA_MIS_COLOR ? VGA_CRT_IC : VGA_CRT_IM;
}

static u16 status_port(u8 misc_output)
{
	return misc_output & VGA_MIS_COLOR ? VGA_IS1_RC : VGA_IS1_RM;
}

static void read_sequencer(struct ghostvga_header *header)
{
	unsigned int i;

	header->sequencer_index = inb(VGA_SEQ_I);
	for (i = 0; i < VGA_SEQ_C; i++)
		header->sequencer[i] = vga_rseq(NULL, i);
	outb(header->sequencer_index, VGA_SEQ_I);
}

static void read_graphics(struct ghostvga_header *header)
{
	unsigned int i;

	header->graphics_index = inb(VGA_GFX_I);
	for (i = 0; i < VGA_GFX_C; i++)
		header->graphics[i] = vga_rgfx(NULL, i);
	outb(header->graphics_index, VGA_GFX_I);
}

static void read_crtc(struct ghostvga_header *header)
{
	u16 port = crtc_port(header->misc_output);
	unsigned int i;

	header->crtc_index = inb(port);
	for (i = 0; i < VGA_CRT_C; i++) {
		outb(i, port);
		header->crtc[i] = inb(port + 1);
	}
	outb(header->crtc_index, port);
}

/*
 * Port 3C0h takes an index and a value in turn, and which one is next cannot be read. A write tells: of an index
 * that no register has, the port then holds either that index, or still the old one and the register behind it
 * the value. In that second case the program was about to write that very register, and gets it back with
 * the index selected.
 *
 * The palette can be read only while its bit 5 of the index is clear, which blanks the screen: for 21 registers,
 * some 60 us, or two lines of a picture.
 */
static void read_attributes(struct ghostvga_header *header)
{
	u16 status = status_port(header->misc_output);
	u8 index = inb(VGA_ATT_IW);
	u8 value = inb(VGA_ATT_R);
	u8 now;
	unsigned int i;

	outb((index & VGA_AR_ENABLE_DISPLAY) | ATTRIBUTE_NONE, VGA_ATT_W);
	inb(status);
	now = inb(VGA_ATT_IW);
	header->attribute_awaits_data = (now & ATTRIBUTE_INDEX) != ATTRIBUTE_NONE;
	if (header->attribute_awaits_data) {
		index = now;
		outb(index, VGA_ATT_W);
		outb(value, VGA_ATT_W);
	}
	header->attribute_index = index;

	for (i = 0; i < VGA_ATT_C; i++) {
		inb(status);
		outb(i, VGA_ATT_W);
		header->attribute[i] = inb(VGA_ATT_R);
	}

	inb(status);
	outb(index, VGA_ATT_W);
	if (!header->attribute_awaits_data)
		inb(status);
}

/*
 * A program that has written one or two of a colour's three components would have them forgotten. It moves on at
 * once if it is let run, so the DAC is read only if its index was the same in some looks one after the other, else
 * not at all.
 */
static int read_dac(struct capture *capture)
{
	struct ghostvga_header *header = &capture->into->header;
	unsigned int i;

	/* Some DACs open a hidden register after four reads of the mask; a look at the index shuts it again. */
	header->dac_mask = inb(VGA_PEL_MSK);
	header->dac_index = inb(VGA_PEL_IW);
	header->dac_state = inb(VGA_PEL_IR) & 3;
	if (header->dac_index == capture->dac_index && header->dac_state == capture->dac_state) {
		capture->dac_quiet_looks++;
	} else {
		capture->dac_index = header->dac_index;
		capture->dac_state = header->dac_state;
		capture->dac_quiet_looks = 1;
	}
	if (capture->dac_quiet_looks < DAC_QUIET_LOOKS) {
		if (--capture->dac_tries)
			return -EAGAIN;
		header->flags |= GHOSTVGA_FLAG_DAC_BUSY;
		memset(header->dac, 0, sizeof(header->dac));
		return 0;
	}

	outb(0, VGA_PEL_IR);
	for (i = 0; i < sizeof(header->dac); i++)
		header->dac[i] = inb(VGA_PEL_D);

	/* While being read, the index is already that of the next colour. */
	if (header->dac_state)
		outb(header->dac_index - 1, VGA_PEL_IR);
	else
		outb(header->dac_index, VGA_PEL_IW);
	return 0;
}

static enum ghostvga_mode mode_of(const struct ghostvga_header *header)
{
	if (!(header->graphics[VGA_GFX_MISC] & 0x01))
		return GHOSTVGA_MODE_TEXT;
	if (header->graphics[VGA_GFX_MODE] & 0x40)
		return header->sequencer[VGA_SEQ_MEMORY_MODE] & VGA_SR04_CHN_4M ?
			GHOSTVGA_MODE_CHAINED : GHOSTVGA_MODE_UNCHAINED;
	if (header->graphics[VGA_GFX_MODE] & 0x20)
		return GHOSTVGA_MODE_INTERLEAVED;
	return GHOSTVGA_MODE_PLANAR;
}

/* Where programs see video memory, by bits 2 and 3 of the graphics controller's miscellaneous register. */
static void describe_window(struct ghostvga_header *header)
{
	static const struct { u32 address, length; } windows[] = {
		{ 0xa0000, 0x10000 }, /* of 128 KiB, as much as a plane has */
		{ 0xa0000, 0x10000 },
		{ 0xb0000, 0x08000 },
		{ 0xb8000, 0x08000 },
	};
	unsigned int map = (header->graphics[VGA_GFX_MISC] >> 2) & 3;
	bool planes_alternate = header->graphics[VGA_GFX_MODE] & 0x10 ||
				header->sequencer[VGA_SEQ_MEMORY_MODE] & VGA_SR04_CHN_4M;
	bool reads_compare_colours = header->graphics[VGA_GFX_MODE] & 0x08;

	header->window_address = windows[map].address;
	header->window_length = planes_alternate && !reads_compare_colours ? windows[map].length : 0;
}

/* In a stop: everything but the memory. */
static int read_registers(struct capture *capture)
{
	struct ghostvga_header *header = &capture->into->header;
	int error;

	error = read_dac(capture);
	if (error)
		return error;
	header->misc_output = inb(VGA_MIS_R);
	header->feature_control = inb(VGA_FTC_R);
	header->input_status = inb(INPUT_STATUS_0);
	read_sequencer(header);
	read_graphics(header);
	read_crtc(header);
	read_attributes(header);
	header->mode = mode_of(header);
	describe_window(header);
	return 0;
}

/* In a stop: whether the display is still set as the header says. Cursor, start address and drawing may change. */
static int compare_registers(struct capture *capture)
{
	struct ghostvga_header *header = &capture->into->header;
	struct ghostvga_header now = { .misc_output = inb(VGA_MIS_R) };
	unsigned int i;

	if (now.misc_output != header->misc_output)
		return -EAGAIN;
	read_sequencer(&now);
	read_graphics(&now);
	read_crtc(&now);
	if (mode_of(&now) != header->mode)
		return -EAGAIN;
	for (i = 0; i < VGA_CRT_C; i++) {
		if (i >= VGA_CRTC_CURSOR_START && i <= VGA_CRTC_CURSOR_LO)
			continue;
		if (now.crtc[i] != header->crtc[i])
			return -EAGAIN;
	}
	return 0;
}

/*
 * A store may take bits from the latches, which any load fills: a program that was stopped between the two would
 * find ours. Its registers say whether its stores do so. If they do, it is let run for a while; most programs set
 * the registers back when they have drawn something. If it never does, the snapshot is taken all the same, and
 * the rest of it without waiting again.
 */
static bool wait_for_latches(struct capture *capture, u8 graphics_mode)
{
	unsigned int write_mode = graphics_mode & 3;
	bool in_use = write_mode == 1 || write_mode == 3 ||
		      vga_rgfx(NULL, VGA_GFX_BIT_MASK) != 0xff ||
		      vga_rgfx(NULL, VGA_GFX_DATA_ROTATE) & 0x18;

	if (!in_use)
		return false;
	if (capture->latch_tries) {
		capture->latch_tries--;
		return true;
	}
	capture->into->header.flags |= GHOSTVGA_FLAG_LATCHES_IN_USE;
	return false;
}

/* In a stop: CHUNK bytes of the window as it is, then of each plane. */
static int read_chunk(struct capture *capture)
{
	struct snapshot *into = capture->into;
	unsigned int offset = capture->offset;
	u8 graphics_index = inb(VGA_GFX_I);
	u8 sequencer_index = inb(VGA_SEQ_I);
	u8 misc_output = inb(VGA_MIS_R);
	u8 read_map = vga_rgfx(NULL, VGA_GFX_PLANE_READ);
	u8 mode = vga_rgfx(NULL, VGA_GFX_MODE);
	u8 map = vga_rgfx(NULL, VGA_GFX_MISC);
	u8 memory_mode = vga_rseq(NULL, VGA_SEQ_MEMORY_MODE);
	unsigned int plane;
	int error = 0;

	if (wait_for_latches(capture, mode)) {
		error = -EAGAIN;
		goto put_indexes_back;
	}

	if (offset < into->header.window_length)
		memcpy_fromio(into->window + offset,
			      capture->memory + into->header.window_address - MEMORY_ADDRESS + offset, CHUNK);

	/* Memory on; no odd/even, no chain; 64 KiB of one plane at 0xA0000; plain reads. */
	if (!(misc_output & VGA_MIS_ENB_MEM_ACCESS))
		outb(misc_output | VGA_MIS_ENB_MEM_ACCESS, VGA_MIS_W);
	vga_wseq(NULL, VGA_SEQ_MEMORY_MODE,
		 (memory_mode | VGA_SR04_EXT_MEM | VGA_SR04_SEQ_MODE) & ~VGA_SR04_CHN_4M);
	vga_wgfx(NULL, VGA_GFX_MODE, mode & ~0x18);
	vga_wgfx(NULL, VGA_GFX_MISC, (map & ~0x0e) | 0x04);
	for (plane = 0; plane < GHOSTVGA_PLANES; plane++) {
		vga_wgfx(NULL, VGA_GFX_PLANE_READ, plane);
		memcpy_fromio(into->planes[plane] + offset, capture->memory + offset, CHUNK);
	}

	vga_wgfx(NULL, VGA_GFX_PLANE_READ, read_map);
	vga_wgfx(NULL, VGA_GFX_MISC, map);
	vga_wgfx(NULL, VGA_GFX_MODE, mode);
	vga_wseq(NULL, VGA_SEQ_MEMORY_MODE, memory_mode);
	if (!(misc_output & VGA_MIS_ENB_MEM_ACCESS))
		outb(misc_output, VGA_MIS_W);
put_indexes_back:
	outb(graphics_index, VGA_GFX_I);
	outb(sequencer_index, VGA_SEQ_I);
	return error;
}

/* Runs on one processor; all others wait with interrupts off, and so are they here. */
static int in_the_stop(void *argument)
{
	struct capture *capture = argument;
	struct ghostvga_header *header = &capture->into->header;
	u64 began = ktime_get_ns();
	int result = capture->step(capture);

	header->stops++;
	header->longest_stop_ns = max_t(u64, header->longest_stop_ns, ktime_get_ns() - began);
	return result;
}

static int stop_for(struct capture *capture, int (*step)(struct capture *capture))
{
	capture->step = step;
	return stop_machine(in_the_stop, capture, NULL);
}

/* A step that answers -EAGAIN does so a bounded number of times. */
static int repeat_stop_for(struct capture *capture, int (*step)(struct capture *capture))
{
	int result = stop_for(capture, step);

	while (result == -EAGAIN) {
		if (fatal_signal_pending(current))
			return -EINTR;
		usleep_range(1000, 2000);
		result = stop_for(capture, step);
	}
	return result;
}

static int read_quiet_registers(struct capture *capture)
{
	capture->dac_tries = DAC_TRIES;
	capture->dac_quiet_looks = 0;
	return repeat_stop_for(capture, read_registers);
}

static int read_memory(struct capture *capture)
{
	int result;

	for (capture->offset = 0; capture->offset < GHOSTVGA_PLANE_LENGTH; capture->offset += CHUNK) {
		capture->latch_tries = capture->into->header.flags & GHOSTVGA_FLAG_LATCHES_IN_USE ? 0 : LATCH_TRIES;
		result = repeat_stop_for(capture, read_chunk);
		if (result)
			return result;
	}
	return 0;
}

static int take(struct capture *capture)
{
	struct ghostvga_header *header = &capture->into->header;
	unsigned int tries = MODE_TRIES;
	int result;

	memcpy(header->magic, GHOSTVGA_MAGIC, sizeof(header->magic));
	header->version = GHOSTVGA_VERSION;
	header->header_length = GHOSTVGA_HEADER_LENGTH;
	header->plane_length = GHOSTVGA_PLANE_LENGTH;
	do {
		header->flags = 0;
		memset(capture->into->window, 0, sizeof(capture->into->window));
		result = read_quiet_registers(capture) ?: read_memory(capture) ?:
			 stop_for(capture, compare_registers);
	} while (result == -EAGAIN && --tries);
	if (result == -EAGAIN) {
		header->flags |= GHOSTVGA_FLAG_MODE_CHANGED;
		result = 0;
	}
	header->taken_ns = ktime_get_boottime_ns();
	return result;
}

static int lock_console(void)
{
	unsigned long deadline = jiffies + msecs_to_jiffies(CONSOLE_WAIT_MS);

	while (!console_trylock()) {
		if (signal_pending(current))
			return -EINTR;
		if (time_after(jiffies, deadline))
			return -EBUSY;
		usleep_range(1000, 2000);
	}
	return 0;
}

static int take_under_console_lock(struct capture *capture)
{
	int result = lock_console();

	if (result)
		return result;
	result = con_is_bound(&vga_con) ? take(capture) : -ENODEV;
	console_unlock();
	return result;
}

static int take_from_memory(struct snapshot *into)
{
	struct capture capture = { .into = into };
	int result;

	if (!request_mem_region(MEMORY_ADDRESS, MEMORY_LENGTH, KBUILD_MODNAME))
		return -EBUSY;
	capture.memory = ioremap(MEMORY_ADDRESS, MEMORY_LENGTH);
	result = capture.memory ? take_under_console_lock(&capture) : -ENOMEM;
	if (capture.memory)
		iounmap(capture.memory);
	release_mem_region(MEMORY_ADDRESS, MEMORY_LENGTH);
	return result;
}

/* No driver binds to the device, and none lets go of it, while this runs. */
static int take_from_device(struct pci_dev *vga, struct snapshot *into)
{
	int result;

	result = vga_get_interruptible(vga, VGA_RSRC_LEGACY_IO | VGA_RSRC_LEGACY_MEM);
	if (result)
		return result;
	if (device_trylock(&vga->dev)) {
		result = vga->dev.driver ? -ENODEV : take_from_memory(into);
		device_unlock(&vga->dev);
	} else {
		result = -EBUSY;
	}
	vga_put(vga, VGA_RSRC_LEGACY_IO | VGA_RSRC_LEGACY_MEM);
	return result;
}

/* The VGA that firmware switched on, with a reference; NULL if there is none. */
static struct pci_dev *default_vga(void)
{
	struct pci_dev *vga = vga_default_device();

	if (!vga || vga->class >> 8 != PCI_CLASS_DISPLAY_VGA)
		return NULL;
	return pci_dev_get(vga);
}

static int take_snapshot(struct snapshot *into)
{
	struct pci_dev *vga;
	int result;

	result = mutex_lock_interruptible(&snapshot_mutex);
	if (result)
		return result;
	vga = default_vga();
	result = vga ? take_from_device(vga, into) : -ENODEV;
	pci_dev_put(vga);
	mutex_unlock(&snapshot_mutex);
	return result;
}

static int ghostvga_open(struct inode *inode, struct file *file)
{
	struct snapshot *snapshot = vzalloc(sizeof(*snapshot));
	int result;

	if (!snapshot)
		return -ENOMEM;
	result = take_snapshot(snapshot);
	if (result) {
		vfree(snapshot);
		return result;
	}
	file->private_data = snapshot;
	return 0;
}

static int ghostvga_release(struct inode *inode, struct file *file)
{
	vfree(file->private_data);
	return 0;
}

static ssize_t ghostvga_read(struct file *file, char __user *to, size_t count, loff_t *position)
{
	return simple_read_from_buffer(to, count, position, file->private_data, GHOSTVGA_LENGTH);
}

static loff_t ghostvga_llseek(struct file *file, loff_t offset, int whence)
{
	return fixed_size_llseek(file, offset, whence, GHOSTVGA_LENGTH);
}

static const struct file_operations ghostvga_operations = {
	.owner = THIS_MODULE,
	.open = ghostvga_open,
	.release = ghostvga_release,
	.read = ghostvga_read,
	.llseek = ghostvga_llseek,
};

static struct miscdevice ghostvga_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "ghostvga",
	.fops = &ghostvga_operations,
	.mode = 0400,
};

static int __init ghostvga_init(void)
{
	struct pci_dev *vga = default_vga();

	BUILD_BUG_ON(sizeof(struct ghostvga_header) != GHOSTVGA_HEADER_LENGTH);
	BUILD_BUG_ON(sizeof(struct snapshot) != GHOSTVGA_LENGTH);
	BUILD_BUG_ON(GHOSTVGA_PLANE_LENGTH % CHUNK);
	if (!vga) {
		pr_info("there is no VGA\n");
		return -ENODEV;
	}
	pci_dev_put(vga);
	return misc_register(&ghostvga_device);
}

static void __exit ghostvga_exit(void)
{
	misc_deregister(&ghostvga_device);
}

module_init(ghostvga_init);
module_exit(ghostvga_exit);

MODULE_AUTHOR("The Ghost4Linux authors");
MODULE_DESCRIPTION("Snapshots of what a VGA displays");
MODULE_LICENSE("GPL");
