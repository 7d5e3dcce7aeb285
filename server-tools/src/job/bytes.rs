//! Numbers of bytes in words.

/// A number of bytes for people, in powers of 1024.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut scaled = u128::from(count) * 10;
    while scaled >= 10_240 && unit + 1 < UNITS.len() {
        scaled /= 1_024;
        unit += 1;
    }
    if unit == 0 { format!("{count} B") } else { format!("{}.{} {}", scaled / 10, scaled % 10, UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_told_in_the_unit_that_fits() {
        let told: Vec<String> = [0, 1_023, 1_024, 1_536, 5 << 30, u64::MAX].into_iter().map(bytes).collect();
        assert_eq!(told, ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "5.0 GiB", "16777215.9 TiB"]);
    }
}
