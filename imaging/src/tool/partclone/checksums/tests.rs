use super::*;
use crate::tool::partclone::tests::EXT;
use proptest::prelude::*;

/// An image without checksums, of so many blocks of a kilobyte; the map says which are used. What stands in the map behind the
/// last block is to mean nothing.
fn image(blocks: u16, used: impl Fn(u16) -> bool) -> Vec<u8> {
    let mut head = super::super::with(EXT, Checksums::None);
    super::super::put(&mut head, 60, &u64::from(blocks).to_le_bytes());
    super::super::put(&mut head, 76, &0_u64.to_le_bytes());
    let head = super::super::with(&head, Checksums::None);
    let mut image = head.to_vec();
    for byte in 0..blocks.div_ceil(8) {
        let bit = |bit: u16| byte * 8 + bit >= blocks || used(byte * 8 + bit);
        image.push((0..8).map(|at| u8::from(bit(at)) << at).sum());
    }
    image.extend(b"sum!");
    for block in (0..blocks).filter(|&block| used(block)) {
        image.extend((0..1024_u16).map(|at| (at.wrapping_mul(block) ^ block).to_le_bytes()[0]));
    }
    image
}

/// What comes out when an image passes in parts of so many bytes.
fn added(image: &[u8], part: usize) -> Result<Vec<u8>, PassError> {
    let (head, body) = image.split_first_chunk().unwrap();
    let (mut adding, head) = Adding::new(head).unwrap();
    let mut out = head.to_vec();
    let mut counted = 0;
    for part in body.chunks(part) {
        counted += adding.pass(part, &mut out)?;
    }
    assert_eq!(usize::try_from(counted).unwrap(), out.len() - HEAD);
    adding.end().map(|_used| out)
}

fn removed(image: &[u8], part: usize) -> Result<Vec<u8>, PassError> {
    let (head, body) = image.split_first_chunk().unwrap();
    let (mut removing, head) = Removing::new(head).unwrap();
    let mut out = head.to_vec();
    body.chunks(part).try_for_each(|part| removing.pass(part, &mut out))?;
    removing.end().map(|()| out)
}

#[test]
fn a_checksum_stands_behind_every_group_and_behind_the_rest() {
    let without = image(2100, |block| block != 3);
    let with = added(&without, 100_000).unwrap();
    let body = HEAD + 2100_usize.div_ceil(8) + 4;
    let blocks = &without[body..];
    let checksum = |blocks: &[u8]| (!crc32fast::hash(blocks)).to_le_bytes().to_vec();
    let groups: Vec<_> =
        blocks.chunks(1 << 20).flat_map(|group| [group, &checksum(group)].concat()).collect();
    assert_eq!(blocks.len(), 2099 * 1024);
    assert!(with[body..] == groups);
}

#[test]
fn a_group_that_is_just_full_has_one_checksum() {
    for (blocks, checksums) in [(0, 0), (1, 1), (1023, 1), (1024, 1), (1025, 2), (2048, 2)] {
        let without = image(2500, |block| block < blocks);
        let with = added(&without, 1 << 20).unwrap();
        assert_eq!(with.len() - without.len(), checksums * 4, "{blocks} blocks");
    }
}

#[test]
fn a_damaged_block_or_checksum_is_noticed_before_the_next_group() {
    let with = added(&image(3000, |_| true), 1 << 20).unwrap();
    let body = HEAD + 375 + 4;
    for (at, before) in
        [(body, 1024), (body + (1 << 20) + 3, 1024), (body + (2 << 20), 2048), (with.len() - 1, 3000)]
    {
        let mut damaged = with.clone();
        damaged[at] ^= 1;
        let error = removed(&damaged, 4096).unwrap_err();
        assert!(matches!(error, PassError::Damaged(block) if block == before), "byte {at}: {error}");
    }
}

#[test]
fn an_image_that_ends_early_or_goes_on_is_noticed() {
    let without = image(1500, |block| block % 2 == 0);
    let with = added(&without, 1 << 20).unwrap();
    for short in [HEAD + 1, HEAD + 190, without.len() - 1] {
        let error = added(&without[..short], 4096).unwrap_err();
        assert!(matches!(error, PassError::Missing(_)), "{short}: {error}");
    }
    let error = removed(&with[..with.len() - 2], 4096).unwrap_err();
    assert!(matches!(error, PassError::Missing(2)), "{error}");
    for surplus in [&without, &with] {
        let error = removed(&[surplus, &b"x"[..]].concat(), 4096).unwrap_err();
        assert!(matches!(error, PassError::Surplus), "{error}");
    }
}

#[test]
fn a_map_that_tells_of_fewer_blocks_than_the_head_is_noticed() {
    let without = image(1500, |block| block < 1000);
    let (head, body) = without.split_first_chunk::<HEAD>().unwrap();
    let mut head = *head;
    super::super::put(&mut head, 76, &1001_u64.to_le_bytes());
    let head = super::super::with(&head, Checksums::None);
    let error = added(&[&head[..], body].concat(), 4096).unwrap_err();
    assert!(matches!(error, PassError::Missing(1024)), "{error}");
}

#[test]
fn an_image_without_checksums_passes_as_it_is() {
    let without = image(1500, |block| block % 3 == 0);
    assert!(removed(&without, 5000).unwrap() == without);
    assert_eq!(Adding::new(EXT).unwrap_err(), HeadError::Checksums);
}

proptest! {
    #[test]
    fn what_was_added_is_removed(blocks in 1..2600_u16, step in 1..5_u16, part in 1..200_000_usize, other in 1..200_000_usize) {
        let without = image(blocks, |block| block % step == 0);
        let with = added(&without, part).unwrap();
        prop_assert!(removed(&with, other).unwrap() == without);
    }
}
