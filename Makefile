# What there is to do with Ghost4Linux, each from a fresh Debian machine as root:
#
#   make demo      a virtual PC is woken, netbooted, does a job and goes off; every step is shown
#   make test      every test, the end-to-end ones included
#   make deb       Debian packages of all that a boot server needs, in target/deb
#   make install   ghostctl, ghost-console, their man pages and completions, for production (PREFIX, DESTDIR)
#   make clean     no process, namespace, mount or file is left
#
# Smaller steps: deps lint unit rootfs rootfs-check kmod kmod-check screens-check lab e2e (SCENARIO=name for one) cut-off leaving late-disks
# leases little-memory hanging-driver nfs4 http-boot two-servers cards faults
# fuzz crowd deb-check deb-reproduced debian13 first-backup first-backup-nfsd trixie-check console-check console-lab bench bench-console bench-lab (SIZE=512 for a quick try)
# bench-boot.
#
# With a DOSEmu and a Ghost that you have: make e2e IMAGER=dosemu OVERLAY=DIR FLOPPY=IMG (tests/README.md).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

PREFIX ?= /usr/local
DESTDIR ?=
# Where systemd looks for the units of programs below PREFIX.
UNITS := $(PREFIX)/lib/systemd/system
# What makes the base root, and the clients' programs.
LIBRARY = $(DESTDIR)$(PREFIX)/lib/ghost4linux
# An administrator's own files, laid over the base root.
OVERLAY ?=
export OVERLAY

# An imager of one's own, for the scenarios that use it. It has a base root of its own, beside the one without it.
FLOPPY ?=
ifneq ($(FLOPPY),)
export IMAGER FLOPPY
ROOTFS := target/rootfs-$(IMAGER)
export LAB_BASE_ROOT := $(CURDIR)/$(ROOTFS)/base
export LAB_NETBOOT := $(CURDIR)/$(ROOTFS)/netboot
SCENARIO ?= a_disk_is_backed_up dosemu:: full_store::
else
ROOTFS := target/rootfs
endif

# No program that is installed has a path of the machine that it was built on in it, so that each machine builds the same.
CARGO_HOME ?= $(HOME)/.cargo
FROM_ANYWHERE = --remap-path-prefix=$(CURDIR)=/usr/src/ghost4linux --remap-path-prefix=$(CARGO_HOME)=/usr/share/cargo
STATIC_TARGET := x86_64-unknown-linux-gnu
# What runs on the client: PID 1, and the imager that it starts.
CLIENT_PROFILE := release
CLIENT_PROGRAMS = $(addprefix target/$(STATIC_TARGET)/$(CLIENT_PROFILE)/,ghost-init ghost-imager)
# What runs on the boot server. As a release it is what is installed.
SERVER_PROFILE ?= release
SERVER_PROGRAMS = target/$(SERVER_PROFILE)
# Where the Debian packages go.
DEB := target/deb
KMOD := target/kmod
# What is only tried and not installed is built without what makes a release slow to build (Cargo.toml).
TRIAL := --profile trial
# The programs that the scenarios and the packages are tried with, by the features that the scenarios' own build has: so what they
# depend on is built once.
BUILD_TRIED = cargo build --locked $(TRIAL) -p ghost-contract -p ghost-lab -p ghostctl -p ghost-console --bins \
    --features ghost-contract/sample,ghostctl/sample,ghost-lab/e2e
TRY_SCENARIOS = cargo test --locked $(TRIAL) -p ghost-lab -p ghost-console --features ghost-lab/e2e --test e2e
# So many scenarios run at the same time. Three of them have PCs (LAB_PARALLEL), of which some are idle for minutes; the fourth
# is one that tries the lab itself, or waits for its turn.
SCENARIOS := 4
# A test beside the code waits for much of its time, for a deadline or a loop device, so more of them run at the same time
# than there are processors.
TESTS := $(shell echo $$((3 * $$(nproc))))
# ghostctl's wait for a DHCP server or a client nearly all of their time, and need little memory.
WAITING := $(shell echo $$((8 * $$(nproc))))
# By which firmware the campaigns boot their PCs: bios, uefi or both.
FIRMWARE ?= both
FIRMWARES = $(if $(filter both,$(FIRMWARE)),bios uefi,$(FIRMWARE))
LAB := target/trial/lab
# The Debian packages that the demonstration needs, and those that the tests need besides.
DEMO_LISTS := scripts/host-packages rootfs/host-packages tests/lab/host-packages
PACKAGE_LISTS := $(DEMO_LISTS) kmod/host-packages tests/host-packages debian/host-packages tests/first-backup/host-packages
# A ghostrc begins like a shell script and is none.
SHELL_SCRIPTS = $(shell git ls-files -- ':!*ghostrc*' | xargs -r awk 'FNR == 1 && /^\#!\/bin\/(ba)?sh/ { print FILENAME } { nextfile }')

.PHONY: demo test sources parts scenarios deps lint unit init rootfs rootfs-check kmod kmod-check screens-check lab e2e cut-off leaving nfs4 http-boot cards faults crowd console-check bench bench-console bench-lab bench-boot server install install-files install-console-files deb deb-check deb-reproduced trixie-check demo-parts demo-programs base clean

# Who tries this for the first time waits for it: only what it needs is installed and built, and no release.
demo: PACKAGE_LISTS := $(DEMO_LISTS)
demo: CLIENT_PROFILE := trial
demo: deps
	@echo "demo: compiling, and making the clients' root from Debian's packages beside that; then a virtual PC does three jobs"
	$(MAKE) --jobs=3 demo-parts
	rootfs/install-init $(CLIENT_PROGRAMS) $(ROOTFS)
	target/$(STATIC_TARGET)/trial/lab demo

# A download and a compiler wait for different things.
demo-parts: base demo-programs

# One call, so that what client and server depend on is compiled once: static for both.
demo-programs: export RUSTFLAGS = $(STATIC)
demo-programs:
	cargo build --locked $(TRIAL) -p ghost-init -p ghost-imaging -p ghost-lab -p ghostctl --bins --target $(STATIC_TARGET)

# The tests beside the code wait for much of their time: meanwhile a compiler makes what the others need, and what it has made is checked.
# Three labs leave a third of two processors idle, which a Debian 13 gets.
test: deps
	$(MAKE) --jobs=2 sources parts
	$(MAKE) --jobs=2 --old-file=kmod --old-file=deb e2e debian13

# In this order: both have cargo's lock of the same folder.
sources:
	$(MAKE) lint
	$(MAKE) unit

parts:
	$(MAKE) kmod
	$(MAKE) rootfs-check
	$(MAKE) scenarios
	$(MAKE) --old-file=kmod kmod-check screens-check deb-check

deps:
	scripts/install-host-packages $(PACKAGE_LISTS)

lint:
	scripts/lint $(SHELL_SCRIPTS)

# With one set of features, so that ghostctl is built once: that of the console's tests, and a program that can kill itself wherever it changes
# something, for tests of what the next start makes of it. Packages and scenarios have the program without that.
TESTED := ghostctl/sample,ghostctl/crash-points
unit:
	cargo test --locked --workspace --exclude ghostctl --features $(TESTED) -- --test-threads=$(TESTS)
	# One after the other: what another test starts at that moment holds every open file, and every lock, for an instant.
	cargo test --locked -p ghostctl --features $(TESTED) --lib --bins -- --test-threads=1
	cargo test --locked -p ghostctl --features $(TESTED) --test '*' -- --test-threads=$(WAITING)
	cargo test --locked -p ghostctl --features $(TESTED) --doc

# PID 1 has to outlive its own root file system, so it brings its C library along; so does the imager, to be the
# same program whatever the base root's is. Nobody reads their symbols, which are 150 KB of the initramfs. A profile cannot
# leave them out: cargo 1.95 forgets its `strip` for packages that have settings of their own.
STATIC = $(FROM_ANYWHERE) -C target-feature=+crt-static -C strip=symbols
init: export RUSTFLAGS = $(STATIC)
init:
	cargo build --locked --profile $(CLIENT_PROFILE) -p ghost-init -p ghost-imaging --bins --target $(STATIC_TARGET)

server: export RUSTFLAGS = $(FROM_ANYWHERE)
server:
ifeq ($(SERVER_PROFILE),release)
	cargo build --locked --release -p ghostctl -p ghost-console
else
	env -u RUSTFLAGS $(BUILD_TRIED)
endif

base:
	rootfs/build $(ROOTFS)

rootfs: base init
	rootfs/install-init $(CLIENT_PROGRAMS) $(ROOTFS)

rootfs-check:
	rootfs/check $(ROOTFS)

# For the base root's kernel, so after it.
kmod: rootfs
	kmod/build $(KMOD) $(ROOTFS)/base
	kmod/install-module $(KMOD) $(ROOTFS)/base

kmod-check: kmod
	kmod/check $(KMOD)

screens-check: kmod
	tests/screens/check $(KMOD) target/$(STATIC_TARGET)/release/monitor

lab:
	cargo build --locked $(TRIAL) -p ghost-lab -p ghostctl --bins

scenarios:
	$(BUILD_TRIED)
	$(TRY_SCENARIOS) --no-run

e2e: kmod scenarios
	$(TRY_SCENARIOS) -- --test-threads=$(SCENARIOS) $(SCENARIO)

# Each way of cutting a PC off from a server while it boots: it must end off or on its own disk, and ghostctl must say why.
cut-off: kmod lab
	for firmware in $(FIRMWARES); do \
	    FIRMWARE=$$firmware cargo test --locked $(TRIAL) -p ghost-lab --features e2e,campaigns --test e2e -- \
	        --test-threads=$(SCENARIOS) cut_off::campaign:: || exit; \
	done

# How PCs are left: by what a person types or presses at them, and where the machine does not go off.
leaving: kmod lab
	cargo test --locked $(TRIAL) -p ghost-lab --features e2e,campaigns --test e2e -- --test-threads=$(SCENARIOS) leaving::

# A disk that shows itself a minute late, and a PC that has a RAID controller and no disk.
.PHONY: late-disks
late-disks: kmod lab
	cargo test --locked $(TRIAL) -p ghost-lab --features e2e,campaigns --test e2e -- late_disks::

# Jobs that last longer than the lease of the client's address.
.PHONY: leases
leases: kmod lab
	cargo test --locked $(TRIAL) -p ghost-lab --features e2e,campaigns --test e2e -- leases::

# PCs with less memory than a job takes, by BIOS and by UEFI.
.PHONY: little-memory
little-memory: kmod lab
	cargo test --locked $(TRIAL) -p ghost-lab --features e2e,campaigns --test e2e -- little_memory::

# A driver that hangs in the kernel, from the initramfs on.
.PHONY: hanging-driver
hanging-driver: kmod lab
	cargo test --locked $(TRIAL) -p ghost-lab --features e2e,campaigns --test e2e -- hanging_driver::

# Clients mount base root, trees and image store with NFS 4.1 (NFSVERSION). An initramfs has one version.
nfs4: kmod lab
	mkdir -p $(ROOTFS)-nfs4
	ln -sfn ../$(notdir $(ROOTFS))/base $(ROOTFS)-nfs4/base
	rm -rf $(ROOTFS)-nfs4/netboot
	cp -a --reflink=auto $(ROOTFS)/netboot $(ROOTFS)-nfs4/
	NFSVERSION=4.1 rootfs/initramfs $(firstword $(CLIENT_PROGRAMS)) $(ROOTFS)-nfs4
	cargo test --locked $(TRIAL) -p ghost-lab --features e2e,campaigns --test e2e -- nfs4::

# A UEFI PC loads kernel and initramfs over HTTP: how long that takes, beside TFTP.
http-boot: kmod lab
	cargo test --locked $(TRIAL) -p ghost-lab --features e2e,campaigns --test e2e -- --nocapture http::

# Boots a PC by each model of network card that QEMU has and the firmware has a driver for.
cards: kmod lab target/efi-roms
	for firmware in $(FIRMWARES); do \
	    FIRMWARE=$$firmware cargo test --locked $(TRIAL) -p ghost-lab --features e2e,campaigns --test e2e -- \
	        cards::a_pc_is_up || exit; \
	done

# Boot ROMs for UEFI: those of Debian 13, on Debian 12 too.
target/efi-roms:
	rm -rf $@.new && mkdir -p target
	mmdebstrap --quiet --variant=extract --include=ipxe-qemu trixie $@.new $$(scripts/debian-mirror)
	mv -T $@.new/usr/share/qemu $@ && rm -rf $@.new

# Two boot servers with one image store, of which one is killed.
.PHONY: two-servers
two-servers: kmod lab
	cargo test --locked $(TRIAL) -p ghost-lab --features e2e,campaigns --test e2e -- two_servers::

# Jobs of PCs with UEFI where Kea, dnsmasq or a proxy is the DHCP server; those by BIOS are part of e2e.
.PHONY: dhcp-servers
dhcp-servers: kmod lab
	cargo test --locked $(TRIAL) -p ghost-lab --features e2e,campaigns --test e2e -- --test-threads=$(SCENARIOS) dhcp_servers:: proxy::a_uefi

# Hundreds of faults in a job with each DHCP server, each on a boot server of its own with the real one. Prints a table, and whatever
# broke; then a backup and a restore with each of them are killed at every step. FAULTS_DHCP=kea: with that one (isc, kea, dnsmasq, proxy).
# FAULTS_ONLY=TEXT tries those whose names contain it; FAULTS_SEED=NUMBER chooses other places.
faults:
	FAULTS=all cargo test --locked -p ghostctl --features crash-points --test jobs -- matrix --nocapture
	FAULTS=all cargo test --locked -p ghostctl --features crash-points --test jobs -- crash::with_

.PHONY: fuzz fuzz-corpus
# Looks for inputs that break what reads bytes from outside: FUZZ_SECONDS=60 for each target, FUZZ_TARGETS="arp icmp" for these,
# FUZZ_JOBS=1 at the same time. Prints a table; a crash is a failure. fuzz/README.md.
fuzz:
	scripts/fuzz

# Takes what the last `make fuzz` has found into the corpus that `make unit` tries, as few and as small files as do.
fuzz-corpus:
	scripts/fuzz-corpus

# What a thousand jobs in one program cost, and then a thousand backups whose program is killed in the middle: docs/benches.md. As a release,
# as its users have it.
crowd:
	CROWD=1000 CROWD_HOSTS=30000 CROWD_WORK=240 cargo test --locked --release -p ghostctl --test jobs -- \
	    --exact crowd::what_many_jobs_in_one_program_cost --nocapture
	CROWD_KILLED=1000 CROWD_PARALLEL=50 cargo test --locked --release -p ghostctl --test jobs -- crowd_killed --nocapture

# A thousand hosts in one edit with each of the other DHCP servers.
.PHONY: crowds round-trips
crowds:
	CROWD=1000 CROWD_HOSTS=1000 CROWD_WORK=30 cargo test --locked --release -p ghostctl --test jobs -- \
	    --test-threads=1 cost_with_ --nocapture

# Swaps and reverts each host of the configurations of Kea and dnsmasq in a folder, and has the servers' own checkers look at it.
CONFIGURATIONS ?=
round-trips: export CONFIGURATIONS := $(CONFIGURATIONS)
round-trips:
	cargo test --locked -p ghostctl --test dhcp -- written_elsewhere --nocapture

# The console's pages in a real browser. PICTURES=docs/pictures makes the pictures of the documents anew.
console-check: export AXE_CORE = $(CURDIR)/target/axe/axe.min.js
console-check: export PICTURES := $(if $(PICTURES),$(abspath $(PICTURES)))
console-check:
	scripts/install-host-packages scripts/host-packages console/host-packages
	console/fetch-axe $(AXE_CORE)
	cargo test --locked $(TRIAL) -p ghost-console --features browser --test browser -- --nocapture --test-threads=1

# The wall in Chromium beside the lab, while one PC works, one has stalled and one has not woken: target/console-pictures/lab-*.png.
.PHONY: console-lab
console-lab: kmod lab
	scripts/install-host-packages console/host-packages
	cargo build --locked $(TRIAL) -p ghost-console
	cargo test --locked $(TRIAL) -p ghost-lab --features e2e,campaigns --test e2e -- wall:: --nocapture

# What the console takes with 300 clients and ten viewers. As a release, as its users have it.
bench-console:
	cargo bench --locked -p ghost-console --bench figures

# Prints tables and judges nothing: docs/benches.md.
bench:
	cargo bench --locked -p ghostctl -p ghost-init -p ghost-imaging
	if [ -e $(ROOTFS)/netboot/initrd ]; then tests/memory/compare $(ROOTFS); fi

# A base root of its own, beside the usual one: with Clonezilla, which is measured against.
bench-lab: BENCH_ROOTFS := target/rootfs-bench
bench-lab: init lab
	EXTRA_PACKAGES=clonezilla rootfs/build $(BENCH_ROOTFS)
	rootfs/install-init $(CLIENT_PROGRAMS) $(BENCH_ROOTFS)
	LAB_BASE_ROOT=$(CURDIR)/$(BENCH_ROOTFS)/base LAB_NETBOOT=$(CURDIR)/$(BENCH_ROOTFS)/netboot \
	    cargo bench --locked $(TRIAL) -p ghost-lab --features e2e --bench imaging_lab

# A base root of its own, with initramfs-tools, which is measured against.
bench-boot: BENCH_ROOTFS := target/rootfs-boot
bench-boot: init lab
	EXTRA_PACKAGES=initramfs-tools,dracut-network,nfs-common rootfs/build $(BENCH_ROOTFS)
	rootfs/install-init $(CLIENT_PROGRAMS) $(BENCH_ROOTFS)
	LAB_BASE_ROOT=$(CURDIR)/$(BENCH_ROOTFS)/base LAB_NETBOOT=$(CURDIR)/$(BENCH_ROOTFS)/netboot \
	    cargo bench --locked $(TRIAL) -p ghost-lab --features e2e --bench boot

install: server init
	$(MAKE) install-files install-console-files
	if [ -z '$(DESTDIR)' ] && [ -d /run/systemd/system ]; then \
	    systemctl daemon-reload && systemctl enable ghost4linux-recover.service && systemctl enable --now ghost4linux-root.timer; \
	fi

install-files:
	install -D -m 755 $(SERVER_PROGRAMS)/ghostctl $(DESTDIR)$(PREFIX)/sbin/ghostctl
	umask 022 && $(SERVER_PROGRAMS)/ghostctl generate-manual $(DESTDIR)$(PREFIX)/share
	install -d -m 755 $(DESTDIR)$(UNITS) $(LIBRARY)/rootfs $(LIBRARY)/scripts $(DESTDIR)/etc/ghost4linux/hooks.d
	for unit in server-tools/systemd/*; do \
	    sed 's|@SBINDIR@|$(PREFIX)/sbin|' $$unit | install -m 644 /dev/stdin $(DESTDIR)$(UNITS)/$${unit##*/}; \
	done
	install -D -m 755 -t $(LIBRARY)/client $(CLIENT_PROGRAMS)
	install -m 755 scripts/debian-mirror $(LIBRARY)/scripts
	cp -r --no-preserve=ownership rootfs/* $(LIBRARY)/rootfs
	rm $(addprefix $(LIBRARY)/rootfs/,README.md host-packages check)

install-console-files:
	install -D -m 755 $(SERVER_PROGRAMS)/ghost-console $(DESTDIR)$(PREFIX)/sbin/ghost-console
	$(SERVER_PROGRAMS)/ghost-console --generate-manual $(DESTDIR)$(PREFIX)/share
	install -d -m 755 $(DESTDIR)$(UNITS)
	sed 's|@SBINDIR@|$(PREFIX)/sbin|' console/systemd/ghost4linux-console.service | \
	    install -m 644 /dev/stdin $(DESTDIR)$(UNITS)/ghost4linux-console.service

# Debian packages of what is committed and of what is not: in target/deb. A boot server
# may build its own, so no other server is installed with what that needs.
deb: PACKAGE_LISTS := scripts/host-packages debian/host-packages
deb: deps
	rm -rf $(DEB) && mkdir -p $(DEB)
	debian/rules clean
	debian/rules binary PACKAGES=$(CURDIR)/$(DEB)

# After kmod, whose Debian has a kernel's headers. With the server's programs as the scenarios have them; SERVER_PROFILE=release
# tries what is installed.
deb-check: DEB := target/deb-tried
deb-check: export SERVER_PROFILE := trial
# Time is worth more than space here: dpkg-deb(1).
deb-check: export DPKG_DEB_COMPRESSOR_LEVEL := 1
deb-check: deb
	tests/packages/check $(DEB) target/package-roots $(KMOD)

# docs/first-backup.md followed to the letter in clean Debians that boot by their own systemd, with the lab's switch and a PC.
# SUITES=bookworm for one of them. first-backup-nfsd: the boot server is a virtual PC, too, so that its NFS server is Linux' own; with
# NFS 3 and 4.1. That PC has QEMU's own processor, and takes three quarters of an hour.
.PHONY: first-backup first-backup-nfsd
first-backup first-backup-nfsd: SUITES ?= bookworm trixie
first-backup first-backup-nfsd: DEB := target/deb-tried
first-backup first-backup-nfsd: export SERVER_PROFILE := trial
first-backup-nfsd: export BOOT_SERVER := pc
first-backup-nfsd: export BASE_ROOT := $(CURDIR)/$(ROOTFS)
first-backup-nfsd: rootfs
first-backup first-backup-nfsd: deb
	scripts/install-host-packages tests/lab/host-packages tests/first-backup/host-packages
	tests/first-backup/check $(DEB) target/first-backup $(SUITES)

# Builds them once more, elsewhere and otherwise, and compares the two bit by bit.
deb-reproduced: deb
	tests/packages/reproduced target/deb target/reproduced

# What of a clean Debian 13 `make test` has: what `make deps` installs there, a scenario with the whole lab inside, the tests beside the code that
# have a DHCP server, the first backup, and clippy. The test programs are this machine's; the log is target/debian13/log.
.PHONY: debian13
debian13: DEB := target/deb-tried
debian13: export SERVER_PROFILE := trial
debian13: kmod scenarios deb
	E2E=$$($(call program_of,e2e,$(TRY_SCENARIOS))) && \
	JOBS=$$($(call program_of,jobs,$(TRY_SERVERS))) && \
	DHCP=$$($(call program_of,dhcp,$(TRY_SERVERS))) && \
	export E2E JOBS DHCP && \
	exec tests/trixie/short target/debian13 $(DEB) $(ROOTFS)

TRY_SERVERS = cargo test --locked -p ghostctl --features $(TESTED) --test jobs --test dhcp
# Prints where cargo puts a test program, and builds it if need be.
program_of = $(2) --no-run --message-format=json | sed -n 's|.*"executable":"\([^"]*/deps/$(1)-[^"]*\)".*|\1|p'

# Builds, checks and tries all of this in a clean Debian 13, with its compiler and its servers. Takes as long as `make test`, and more.
# STEPS='deps build scenario' for some of it.
trixie-check: STEPS :=
trixie-check:
	tests/trixie/check target/trixie $(STEPS)

clean:
	if [ -x $(LAB) ]; then $(LAB) down --all; fi
	rm -rf target
