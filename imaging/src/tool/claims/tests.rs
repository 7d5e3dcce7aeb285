//! What do file systems say of themselves?

use super::*;

/// A reader of these bytes, behind which there are zeros.
fn reader(bytes: Vec<u8>) -> impl Fn(u64, usize) -> io::Result<Vec<u8>> {
    move |at, length| {
        let at = usize::try_from(at).unwrap();
        let mut read: Vec<u8> = bytes.iter().skip(at).take(length).copied().collect();
        read.resize(length, 0);
        Ok(read)
    }
}

fn put(bytes: &mut [u8], at: usize, field: &[u8]) {
    bytes[at..at + field.len()].copy_from_slice(field);
}

#[test]
fn an_ext_says_how_many_blocks_are_free() {
    let mut bytes = vec![0; 2048];
    put(&mut bytes, 1024 + 4, &1000_u32.to_le_bytes());
    put(&mut bytes, 1024 + 12, &600_u32.to_le_bytes());
    put(&mut bytes, 1024 + 0x18, &2_u32.to_le_bytes());
    let claim = ext(&reader(bytes.clone())).unwrap();
    assert_eq!((claim.span, claim.used), (1000 * 4096, 400 * 4096));
    // More than 32 bits count only with the feature that says so.
    put(&mut bytes, 1024 + 0x150, &1_u32.to_le_bytes());
    assert_eq!(ext(&reader(bytes.clone())).unwrap(), claim);
    put(&mut bytes, 1024 + 0x60, &0x80_u32.to_le_bytes());
    assert_eq!(ext(&reader(bytes.clone())).unwrap().span, ((1 << 32) + 1000) * 4096);
    put(&mut bytes, 1024 + 0x64, &0x200_u32.to_le_bytes());
    assert_eq!(ext(&reader(bytes)).unwrap().features, [Feature::Bigalloc]);
}

#[test]
fn an_xfs_of_2_to_the_32_blocks_is_told_apart() {
    let mut bytes = vec![0; 512];
    put(&mut bytes, 4, &512_u32.to_be_bytes());
    put(&mut bytes, 8, &((1_u64 << 32) - 1).to_be_bytes());
    put(&mut bytes, 144, &((1_u64 << 32) - 11).to_be_bytes());
    let claim = xfs(&reader(bytes.clone())).unwrap();
    assert_eq!((claim.used, claim.features), (10 * 512, vec![]));
    put(&mut bytes, 8, &(1_u64 << 32).to_be_bytes());
    let claim = xfs(&reader(bytes)).unwrap();
    assert_eq!((claim.used, claim.features), (11 * 512, vec![Feature::ManyBlocks]));
}

/// The boot sector of a FAT32 of 100000 clusters of one sector, with a table of 1000 sectors behind 32.
fn fat32() -> Vec<u8> {
    let mut bytes = vec![0; 600_000];
    put(&mut bytes, 11, &512_u16.to_le_bytes());
    put(&mut bytes, 13, &[1]);
    put(&mut bytes, 14, &32_u16.to_le_bytes());
    put(&mut bytes, 16, &[1]);
    put(&mut bytes, 32, &101_032_u32.to_le_bytes());
    put(&mut bytes, 36, &1000_u32.to_le_bytes());
    bytes
}

#[test]
fn the_table_of_a_fat_is_counted() {
    let mut bytes = fat32();
    for (cluster, value) in
        [(2, 0x0FFF_FFFF_u32), (3, 4), (4, 0x0FFF_FFFF), (50_000, 0x0FFF_FFF7), (100_001, 1)]
    {
        put(&mut bytes, 32 * 512 + cluster * 4, &value.to_le_bytes());
    }
    // The two clusters that there are not, and what is behind the last one, are no files.
    put(&mut bytes, 32 * 512, &[0xFF; 8]);
    put(&mut bytes, 32 * 512 + 100_002 * 4, &[0xFF; 8]);
    let claim = fat(&reader(bytes.clone())).unwrap();
    assert_eq!((claim.span, claim.used), (101_032 * 512, (1032 + 4) * 512));
    assert_eq!(claim.features, []);
    put(&mut bytes, 40, &[0x81]);
    assert_eq!(fat(&reader(bytes)).unwrap().features, [Feature::OtherTable]);
}

#[test]
fn a_fat_of_12_bits_is_told_apart() {
    let mut bytes = fat32();
    put(&mut bytes, 32, &5000_u32.to_le_bytes());
    assert_eq!(fat(&reader(bytes)).unwrap().features, [Feature::Fat12]);
}

#[test]
fn bits_behind_the_last_one_do_not_count() {
    assert_eq!(set_bits(&[0xFF, 0xFF], 11), 11);
    assert_eq!(set_bits(&[0b101, 0xF0], 12), 2);
}

#[test]
fn bits_are_counted_in_all_parts_that_are_read() {
    let whole = usize::try_from(PART).unwrap();
    let bits = (2 * PART + 3) * 8 - 5;
    assert_eq!(set_bits_of(&reader(vec![0xFF; 2 * whole + 3]), 0, bits).unwrap(), bits);
    assert_eq!(set_bits_of(&reader(vec![0xFF; 2 * whole + 2]), 0, bits).unwrap(), bits - 3);
}

#[test]
fn fewer_used_bytes_than_it_says_are_a_contradiction() {
    let claim = Claim { span: 1000, used: 500, features: vec![] };
    assert_eq!(claim.contradicts(1000, 500), None);
    assert!(claim.contradicts(1000, 499).unwrap().contains("499 bytes used, the file system says 500"));
    assert!(claim.contradicts(999, 500).unwrap().contains("it has 1000"));
}
