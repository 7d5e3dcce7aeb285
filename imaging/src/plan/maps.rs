//! How many partclones may wait with what they have read of a file system: all disks of a run share the memory.

/// The maps of used blocks that waiting partclones may have together, bytes: those of 2 TiB in blocks of 4 KiB.
const MOST: u64 = 64 << 20;

/// The memory for the maps of used blocks of the partclones that wait.
#[derive(Debug)]
pub struct Maps {
    left: u64,
}

impl Default for Maps {
    fn default() -> Self {
        Self { left: MOST }
    }
}

impl Maps {
    /// Whether there is room for one more, of so many bytes; it has the room then.
    pub const fn take(&mut self, bytes: u64) -> bool {
        let Some(left) = self.left.checked_sub(bytes) else { return false };
        self.left = left;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn together_they_have_so_much_and_not_more() {
        let mut maps = Maps::default();
        assert!(maps.take(MOST - 2));
        assert!(!maps.take(3), "too large for what is left");
        assert!(maps.take(2), "a smaller one still has room");
        assert!(!maps.take(1) && !maps.take(u64::MAX));
    }
}
