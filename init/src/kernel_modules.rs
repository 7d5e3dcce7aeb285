//! Which files of kernel modules are to be loaded, and in which order: depmod's tables (depmod(8)) as a pure lookup.
//!
//! Reads no file and loads nothing: the tables are arguments.

pub(crate) mod loads;

use std::collections::{BTreeSet, HashMap};

use anyhow::{Context as _, bail};

/// depmod's tables of one kernel.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tables<'a> {
    /// `modules.dep`: a file, and the files that it needs.
    pub needs: &'a str,
    /// `modules.alias`: patterns of devices, and the module for each.
    pub aliases: &'a str,
    /// `modules.softdep`: what is to be loaded before and after a module, where it is there.
    pub soft: &'a str,
    /// `modules.builtin`: what is a part of the kernel.
    pub builtin: &'a str,
}

/// The modules of one kernel.
#[derive(Debug)]
pub(crate) struct Modules<'a> {
    /// By the module's name: its file, and those that it needs.
    files: HashMap<String, (&'a str, Vec<&'a str>)>,
    aliases: Vec<(String, &'a str)>,
    before: HashMap<String, Vec<&'a str>>,
    after: HashMap<String, Vec<&'a str>>,
    builtin: BTreeSet<String>,
}

impl<'a> Modules<'a> {
    pub(crate) fn of(tables: Tables<'a>) -> Self {
        let mut modules = Self {
            files: tables.needs.lines().filter_map(file_and_needs).collect(),
            aliases: tables.aliases.lines().filter_map(alias).collect(),
            before: HashMap::new(),
            after: HashMap::new(),
            builtin: tables.builtin.lines().map(name_of_file).collect(),
        };
        for line in tables.soft.lines() {
            modules.take_soft(line);
        }
        modules
    }

    /// The files to be loaded for a module's name or a device's alias, in their order. None if it is a part of the kernel.
    pub(crate) fn to_load(&self, wanted: &str) -> anyhow::Result<Vec<&'a str>> {
        let name = with_underscores(wanted);
        let mut order = Vec::new();
        if self.files.contains_key(&name) {
            self.add(&name, &mut order, &mut BTreeSet::new());
            return Ok(order);
        }
        if self.builtin.contains(&name) {
            return Ok(order);
        }
        let of_alias = self.aliases.iter().filter(|(pattern, _)| matches(pattern, &name));
        let mut is_known = false;
        for (_, module) in of_alias {
            is_known = true;
            self.add(&with_underscores(module), &mut order, &mut BTreeSet::new());
        }
        if !is_known {
            bail!("there is no module {wanted}");
        }
        Ok(order)
    }

    /// Adds a module behind what it needs. `on_the_way` are modules that have asked for it: soft dependencies may go in
    /// circles.
    fn add(&self, name: &str, order: &mut Vec<&'a str>, on_the_way: &mut BTreeSet<String>) {
        let Some((file, needs)) = self.files.get(name) else { return };
        if order.contains(file) || !on_the_way.insert(name.to_owned()) {
            return;
        }
        self.add_all(self.before.get(name), order, on_the_way);
        // depmod lists what is needed first last.
        for needed in needs.iter().rev() {
            self.add(&name_of_file(needed), order, on_the_way);
        }
        order.push(file);
        self.add_all(self.after.get(name), order, on_the_way);
    }

    fn add_all(
        &self,
        soft: Option<&Vec<&'a str>>,
        order: &mut Vec<&'a str>,
        on_the_way: &mut BTreeSet<String>,
    ) {
        for module in soft.into_iter().flatten() {
            self.add(&with_underscores(module), order, on_the_way);
        }
    }

    /// `softdep NAME pre: MODULE… post: MODULE…`
    fn take_soft(&mut self, line: &'a str) {
        let mut words = line.split_ascii_whitespace();
        let (Some("softdep"), Some(name)) = (words.next(), words.next()) else { return };
        let name = with_underscores(name);
        let mut into = None;
        for word in words {
            match word {
                "pre:" => into = Some(&mut self.before),
                "post:" => into = Some(&mut self.after),
                module => {
                    if let Some(into) = &mut into {
                        into.entry(name.clone()).or_default().push(module);
                    }
                }
            }
        }
    }
}

/// Those of the modules that drive one of these devices, which are named by their aliases. The table is `modules.alias`.
pub(crate) fn with_device<'n>(names: &[&'n str], devices: &[String], table: &str) -> Vec<&'n str> {
    let devices: Vec<_> = devices.iter().map(|device| with_underscores(device)).collect();
    let drives = |name: &str| {
        let name = with_underscores(name);
        let mut patterns = table.lines().filter(|line| line.ends_with(&name)).filter_map(alias);
        patterns.any(|(pattern, module)| {
            with_underscores(module) == name && devices.iter().any(|device| matches(&pattern, device))
        })
    };
    names.iter().copied().filter(|name| drives(name)).collect()
}

/// The module for a device, which is named by its alias, if there is one. The table is `modules.alias`.
pub(crate) fn driver_of<'a>(device: &str, table: &'a str) -> Option<&'a str> {
    let device = with_underscores(device);
    let mut patterns = table.lines().filter_map(alias);
    patterns.find(|(pattern, _)| matches(pattern, &device)).map(|(_, module)| module)
}

/// What modprobe(8) is asked for, as far as the kernel and this program ask.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Request {
    /// Names of modules, or aliases of devices.
    pub wanted: Vec<String>,
    /// Parameters of the one module, `NAME=VALUE`.
    pub parameters: Vec<String>,
    /// Whether what is not there is passed over without a word.
    pub is_quiet: bool,
}

impl Request {
    /// Reads the arguments of modprobe(8): `-a NAME…` or `NAME [PARAMETER…]`; `-q`, and `-b`, which means nothing here.
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut request = Self::default();
        let mut wants_all = false;
        for argument in arguments {
            match argument.as_str() {
                "-a" => wants_all = true,
                "-q" => request.is_quiet = true,
                "-b" | "--" => {}
                option if option.starts_with('-') => bail!("modprobe of Ghost4Linux does not know {option}"),
                _ if wants_all || request.wanted.is_empty() => request.wanted.push(argument),
                _ => request.parameters.push(argument),
            }
        }
        request.wanted.first().context("no module is named")?;
        Ok(request)
    }
}

fn file_and_needs(line: &str) -> Option<(String, (&str, Vec<&str>))> {
    let (file, needs) = line.split_once(':')?;
    Some((name_of_file(file), (file, needs.split_ascii_whitespace().collect())))
}

fn alias(line: &str) -> Option<(String, &str)> {
    let mut words = line.strip_prefix("alias ")?.split_ascii_whitespace();
    Some((with_underscores(words.next()?), words.next()?))
}

/// A module's name is that of its file up to the first dot, with underscores (Linux, scripts/Makefile.lib).
pub(crate) fn name_of_file(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    with_underscores(file.split('.').next().unwrap_or(file))
}

/// In names and aliases a dash is the same as an underscore, but not within brackets, where it makes a range.
fn with_underscores(name: &str) -> String {
    let mut in_brackets = false;
    let same = |letter: char| {
        match letter {
            '[' => in_brackets = true,
            ']' => in_brackets = false,
            '-' if !in_brackets => return '_',
            _ => {}
        }
        letter
    };
    name.chars().map(same).collect()
}

/// Whether a pattern of depmod's matches: `*`, `?` and `[…]`, as fnmatch(3).
fn matches(pattern: &str, name: &str) -> bool {
    // Most patterns are of another bus: what stands before the first wildcard tells that without a search.
    let plain = pattern.find(['*', '?', '[']).unwrap_or(pattern.len());
    name.starts_with(&pattern[..plain]) && glob::Pattern::new(pattern).is_ok_and(|glob| glob.matches(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLES: Tables<'static> = Tables {
        needs: "kernel/drivers/net/phy/realtek.ko.xz: kernel/drivers/net/phy/libphy.ko.xz\n\
            kernel/drivers/net/phy/libphy.ko.xz:\n\
            kernel/drivers/net/ethernet/realtek/r8169.ko.xz: kernel/drivers/net/mdio/mdio-devres.ko.xz kernel/drivers/net/phy/libphy.ko.xz\n\
            kernel/drivers/net/mdio/mdio-devres.ko.xz: kernel/drivers/net/phy/libphy.ko.xz\n\
            kernel/a-b.ko: kernel/c.ko\nkernel/c.ko:\n",
        aliases: "# Aliases extracted from modules themselves.\n\
            alias pci:v000010ECd00008168sv*sd*bc*sc*i* r8169\n\
            alias pci:v000010ECd0000813[69]sv*sd*bc*sc*i* a-b\n\
            alias fs-nfs c\n",
        soft: "# Soft dependencies\nsoftdep r8169 pre: realtek missing\nsoftdep c post: a-b\nsoftdep a-b pre: c\n",
        builtin: "kernel/net/packet/af_packet.ko\n",
    };

    fn to_load(wanted: &str) -> Vec<&'static str> {
        Modules::of(TABLES).to_load(wanted).unwrap()
    }

    #[test]
    fn a_card_gets_its_driver_behind_all_that_it_needs() {
        let expected = [
            "kernel/drivers/net/phy/libphy.ko.xz",
            "kernel/drivers/net/phy/realtek.ko.xz",
            "kernel/drivers/net/mdio/mdio-devres.ko.xz",
            "kernel/drivers/net/ethernet/realtek/r8169.ko.xz",
        ];
        assert_eq!(to_load("pci:v000010ECd00008168sv00001AF4sd00001100bc02sc00i00"), expected);
        assert_eq!(to_load("r8169"), expected);
    }

    #[test]
    fn a_dash_is_an_underscore_and_a_range_stays_one() {
        assert_eq!(to_load("a_b"), to_load("a-b"));
        assert_eq!(to_load("fs-nfs"), ["kernel/c.ko", "kernel/a-b.ko"]);
        assert_eq!(to_load("pci:v000010ECd00008139sv0sd0bc02sc00i00"), ["kernel/c.ko", "kernel/a-b.ko"]);
    }

    #[test]
    fn what_the_kernel_has_is_not_loaded_and_what_nobody_has_is_said() {
        assert!(to_load("af-packet").is_empty());
        let error = Modules::of(TABLES).to_load("nosuch").unwrap_err();
        assert_eq!(error.to_string(), "there is no module nosuch");
    }

    #[test]
    fn of_drivers_those_are_told_whose_device_is_there() {
        let table = "alias pci:v*d*sv*sd*bc0Csc03i20* ehci_pci\nalias pci:v*d*sv*sd*bc0Csc03i30* xhci_pci\n\
            alias platform:iTCO_wdt iTCO_wdt\nalias pci:v00008086d000025ABsv*sd*bc*sc*i* i6300esb\n\
            alias pci:v00008086d000025ABsv*sd*bc*sc*i* not-xhci-pci\n";
        let here = |devices: &[&str]| {
            let devices: Vec<_> = devices.iter().map(|&device| device.to_owned()).collect();
            with_device(&["xhci_pci", "ehci_pci", "i6300esb", "iTCO_wdt"], &devices, table)
        };
        let controller = "pci:v00001033d00000194sv00001AF4sd00001100bc0Csc03i30";
        assert_eq!(here(&[controller]), ["xhci_pci"]);
        let watchdog = "pci:v00008086d000025ABsv00001AF4sd00001100bc08sc80i00";
        assert_eq!(here(&["platform:iTCO_wdt", watchdog]), ["i6300esb", "iTCO_wdt"]);
        assert!(here(&["pci:v00001234d00001111sv00001AF4sd00001100bc03sc00i00"]).is_empty());
    }

    #[test]
    fn the_driver_of_a_device_is_told() {
        let card = "pci:v000010ECd00008168sv00001AF4sd00001100bc02sc00i00";
        assert_eq!(driver_of(card, TABLES.aliases), Some("r8169"));
        assert_eq!(driver_of("pci:v00008086d000015F3sv00001AF4sd00001100bc02sc00i00", TABLES.aliases), None);
    }

    #[test]
    fn the_ways_in_which_modprobe_is_called_are_understood() {
        let request = |line: &str| Request::parse(line.split(' ').map(str::to_owned)).unwrap();
        let kernels = request("-q -- fs-nfs");
        assert_eq!((kernels.wanted, kernels.is_quiet), (vec!["fs-nfs".to_owned()], true));
        let one = request("watchdog stop_on_reboot=0");
        assert_eq!((one.wanted.len(), one.parameters), (1, vec!["stop_on_reboot=0".to_owned()]));
        assert_eq!(request("-a -b -q x y").wanted, ["x", "y"]);
        assert!(Request::parse(std::iter::empty()).is_err());
        assert!(Request::parse(["-r".to_owned()].into_iter()).is_err());
    }
}
