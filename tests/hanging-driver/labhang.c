// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A driver for the SCSI adapter Am53C974 that waits for its device for ever, and cannot be killed: as one
 * does whose firmware does not answer. Linux looks for such devices in the background (asynchronous probing), and ends the
 * loading of no other driver before that is over.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/pci.h>

static int labhang_probe(struct pci_dev *device, const struct pci_device_id *id)
{
	dev_info(&device->dev, "hanging for ever\n");
	for (;;)
		ssleep(1);
	return 0;
}

static const struct pci_device_id labhang_devices[] = {
	{ PCI_DEVICE(0x1022, 0x2020) },
	{}
};
MODULE_DEVICE_TABLE(pci, labhang_devices);

static struct pci_driver labhang_driver = {
	.name = "labhang",
	.id_table = labhang_devices,
	.probe = labhang_probe,
	.driver.probe_type = PROBE_PREFER_ASYNCHRONOUS,
};
module_pci_driver(labhang_driver);

MODULE_DESCRIPTION("Hangs while it looks for its device");
MODULE_LICENSE("GPL");
