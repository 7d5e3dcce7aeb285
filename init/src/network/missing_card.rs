//! Why the interface that the client booted from is not there, or does not work, in words for a person.
//!
//! Reads nothing: what the kernel shows of devices, and its log, are arguments.

use anyhow::anyhow;
use ghost_contract::MacAddress;

/// Of the kernel's priorities (syslog(2)) the least grave one that is a warning.
const WARNING: u8 = 4;

/// An Ethernet card that no driver works for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Driverless {
    /// PCI's numbers of vendor and device, `8086:15f3`.
    pub id: String,
    /// Its place, by which the kernel's log names it, `0000:00:1f.6`.
    pub place: String,
    /// The module that says it is for such cards, if there is one.
    pub driver: Option<String>,
    /// Whether that is not loaded yet.
    pub is_loading: bool,
}

/// Why the interface is not there. `lasting` is a driver that others may wait for.
pub(crate) fn why_no_card(
    bootif: Option<MacAddress>,
    driverless: &[Driverless],
    lasting: Option<&str>,
    complaints: &[String],
) -> String {
    let mut words = bootif.map_or_else(
        || "there is no network interface".to_owned(),
        |mac| format!("no network interface has the address {mac} that the boot loader used"),
    );
    let unknown: Vec<_> = driverless.iter().filter(|card| card.driver.is_none()).collect();
    if !unknown.is_empty() {
        let ids: Vec<_> = unknown.iter().map(|card| card.id.as_str()).collect();
        words += &format!("; the initramfs has no driver for the network card {}", ids.join(" and "));
    }
    for card in driverless {
        match &card.driver {
            Some(driver) if card.is_loading => {
                words +=
                    &format!("; the driver {driver} for the network card {} is still being loaded", card.id);
            }
            Some(driver) => {
                words += &format!("; the driver {driver} does not take the network card {}", card.id)
            }
            None => {}
        }
    }
    if let Some(driver) = lasting.filter(|driver| !words.contains(&format!("the driver {driver} "))) {
        words += &format!("; the driver {driver} is still being loaded");
    }
    words + &the_kernel_says(complaints)
}

/// An error of a card's, with what the kernel says about it.
pub(crate) fn explained(error: anyhow::Error, complaints: &[String]) -> anyhow::Error {
    if complaints.is_empty() { error } else { anyhow!("{error:#}{}", the_kernel_says(complaints)) }
}

fn the_kernel_says(complaints: &[String]) -> String {
    complaints.iter().map(|complaint| format!("; the kernel says: {complaint}")).collect()
}

/// What the kernel's log says of firmware that it looked for and did not find, each line once.
pub(crate) fn missing_firmware(log: &str) -> Vec<String> {
    lines(log, is_of_firmware)
}

/// The same, with what the kernel warns of about these cards and their drivers.
pub(crate) fn complaints(log: &str, driverless: &[Driverless]) -> Vec<String> {
    let is_warning = |line: &str| priority(line).is_some_and(|priority| priority <= WARNING);
    let is_of_one = |line: &str| driverless.iter().any(|card| is_of(card, line));
    lines(log, |line| is_of_firmware(line) || (is_warning(line) && is_of_one(line)))
}

fn is_of_firmware(line: &str) -> bool {
    line.contains("firmware") && line.contains("fail")
}

/// Whether a line is of this card, by its place, or of its driver: one that is refused as a whole knows no place.
fn is_of(card: &Driverless, line: &str) -> bool {
    let is_drivers = |driver: &String| words_of(line).starts_with(&format!("{driver}: "));
    line.contains(&card.place) || card.driver.as_ref().is_some_and(is_drivers)
}

fn lines(log: &str, is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in log.lines().filter(|line| is_wanted(line)) {
        let words = words_of(line).to_owned();
        if !lines.contains(&words) {
            lines.push(words);
        }
    }
    lines
}

/// `<3>[   12.345678] r8169 0000:00:03.0: …`
fn words_of(line: &str) -> &str {
    line.split_once("] ").map_or(line, |(_time, words)| words).trim()
}

/// The number in the angle brackets. Its lower three bits are the priority (syslog(2)).
fn priority(line: &str) -> Option<u8> {
    let (number, _) = line.strip_prefix('<')?.split_once('>')?;
    number.parse().ok().map(|number: u8| number & 7)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
<6>[    0.5] pci 0000:00:1f.6: [8086:15bc] type 00 class 0x020000
<6>[    1.0] eth0: link up
<6>[    2.0] e1000e 0000:00:1f.6: Interrupt Throttling Rate (ints/sec) set to dynamic conservative mode
<3>[    2.1] e1000e 0000:00:1f.6: The NVM Checksum Is Not Valid
<4>[    2.2] e1000e: probe of 0000:00:1f.6 failed with error -5
<4>[    2.3] igc: Unknown symbol dca_add_requester (err -2)
<4>[    2.4] usb 1-1: something else
<3>[    2.5] r8169 0000:03:00.0: firmware: failed to load rtl_nic/a.fw (-2)
<3>[    2.6] r8169 0000:03:00.0: firmware: failed to load rtl_nic/a.fw (-2)
";
    const FIRMWARE: &str = "r8169 0000:03:00.0: firmware: failed to load rtl_nic/a.fw (-2)";

    fn card(id: &str, place: &str, driver: Option<&str>) -> Driverless {
        let driver = driver.map(str::to_owned);
        Driverless { id: id.to_owned(), place: place.to_owned(), driver, is_loading: false }
    }

    #[test]
    fn a_card_that_is_not_there_is_told_with_all_that_is_known() {
        let mac = MacAddress::new([0x52, 0x54, 0, 0, 0, 2]);
        let words =
            why_no_card(Some(mac), &[card("8086:15f3", "0000:04:00.0", None)], None, &missing_firmware(LOG));
        let expected = format!(
            "no network interface has the address 52:54:00:00:00:02 that the boot loader used; \
             the initramfs has no driver for the network card 8086:15f3; the kernel says: {FIRMWARE}"
        );
        assert_eq!(words, expected);
        assert_eq!(why_no_card(None, &[], None, &[]), "there is no network interface");
    }

    #[test]
    fn a_driver_that_does_not_take_its_card_is_not_called_missing() {
        let cards = [card("8086:15bc", "0000:00:1f.6", Some("e1000e"))];
        let words = why_no_card(None, &cards, None, &complaints(LOG, &cards));
        let expected = format!(
            "there is no network interface; the driver e1000e does not take the network card 8086:15bc; \
             the kernel says: e1000e 0000:00:1f.6: The NVM Checksum Is Not Valid; \
             the kernel says: e1000e: probe of 0000:00:1f.6 failed with error -5; the kernel says: {FIRMWARE}"
        );
        assert_eq!(words, expected);
    }

    #[test]
    fn a_driver_that_is_still_being_loaded_is_told_as_that() {
        let mut cards = [card("8086:15bc", "0000:00:1f.6", Some("e1000e"))];
        cards[0].is_loading = true;
        let words = "there is no network interface; the driver e1000e for the network card 8086:15bc is still being loaded";
        assert_eq!(why_no_card(None, &cards, Some("e1000e"), &[]), words);
        let behind = format!("{words}; the driver xhci_pci is still being loaded");
        assert_eq!(why_no_card(None, &cards, Some("xhci_pci"), &[]), behind);
    }

    #[test]
    fn a_driver_that_is_refused_is_told_by_its_name() {
        let cards = [card("8086:15f3", "0000:04:00.0", Some("igc"))];
        assert_eq!(complaints(LOG, &cards), ["igc: Unknown symbol dca_add_requester (err -2)", FIRMWARE]);
    }

    #[test]
    fn what_goes_wrong_with_a_card_is_told_with_the_firmware_that_it_misses() {
        let error = || anyhow!("ENOENT: No such file or directory").context("cannot bring up eth0");
        let words = format!("{:#}", explained(error(), &missing_firmware(LOG)));
        let expected =
            format!("cannot bring up eth0: ENOENT: No such file or directory; the kernel says: {FIRMWARE}");
        assert_eq!(words, expected);
        assert_eq!(explained(error(), &[]).to_string(), "cannot bring up eth0");
    }
}
