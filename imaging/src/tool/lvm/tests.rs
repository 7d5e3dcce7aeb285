//! Which groups are believed, and what is known of their volumes?

use proptest::prelude::*;

use super::sums::put;
use super::*;

const MIB: u64 = 1 << 20;
const SIZE: u64 = 100 * MIB;
const AREA_AT: usize = 4096;
const AREA_SIZE: usize = 64 << 10;
/// Where the text is in the area.
const TEXT_AT: usize = 1024;
const OWN: &str = "olaAfA-3HBT-8apS-t7hF-s4MP-dLfB-n8fwrZ";

/// The beginning of a physical volume whose metadata are this text, at this place of its area.
fn physical(text: &str, at: usize) -> Vec<u8> {
    let mut bytes = vec![0; AREA_AT + AREA_SIZE];
    let (text, room) = (text.as_bytes(), AREA_SIZE - at);
    let (first, rest) = text.split_at(text.len().min(room));
    put(&mut bytes, AREA_AT + at, first);
    put(&mut bytes, AREA_AT + AREA_HEADER, rest);
    let mut header = vec![0; AREA_HEADER];
    put(&mut header, 4, AREA_MAGIC);
    put(&mut header, 20, &1_u32.to_le_bytes());
    let fields = [AREA_AT, AREA_SIZE, at, text.len()];
    fields.iter().enumerate().for_each(|(i, field)| put(&mut header, 24 + i * 8, &field.to_le_bytes()));
    put(&mut header, TEXTS + 16, &checksum(text).to_le_bytes());
    let sum = checksum(&header[4..]);
    put(&mut header, 0, &sum.to_le_bytes());
    put(&mut bytes, AREA_AT, &header);
    let mut label = vec![0; SECTOR];
    put(&mut label, 0, LABEL);
    put(&mut label, LABEL_SECTOR, &1_u64.to_le_bytes());
    put(&mut label, 20, &32_u32.to_le_bytes());
    put(&mut label, 24, FORMAT);
    put(&mut label, 32, OWN.replace('-', "").as_bytes());
    put(&mut label, 64, &SIZE.to_le_bytes());
    put(&mut label, 72, &MIB.to_le_bytes());
    put(&mut label, 104, &AREA_AT.to_le_bytes());
    put(&mut label, 112, &AREA_SIZE.to_le_bytes());
    let sum = checksum(&label[LABEL_SUMMED..]);
    put(&mut label, LABEL_SUM, &sum.to_le_bytes());
    put(&mut bytes, SECTOR, &label);
    bytes
}

fn read_group(bytes: &[u8]) -> Result<Group, String> {
    let read = |at: u64, length: usize| {
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let part = bytes.get(at..at.saturating_add(length)).map(<[u8]>::to_vec);
        part.ok_or_else(|| strange("it ends there"))
    };
    group(&read, SIZE).map_err(|error| error.to_string())
}

fn segment(extents: (u64, u64), rest: &str) -> String {
    let (start, count) = extents;
    format!("segment{} {{ start_extent = {start} extent_count = {count} {rest} }}", start + 1)
}

/// A linear one of this length, from this extent of the physical volume on.
fn linear(from: u64, length: u64) -> String {
    let rest = format!("type = \"striped\" stripe_count = 1 stripes = [\"pv0\", {from}]");
    segment((0, length), &rest)
}

fn volume(name: &str, segments: &[String]) -> String {
    let (count, segments) = (segments.len(), segments.join("\n"));
    format!(
        "{name} {{ id = \"x\" status = [\"READ\", \"WRITE\", \"VISIBLE\"] flags = [] creation_host = \"root\"
        segment_count = {count} {segments} }}\n"
    )
}

/// A group of 20 extents of 4 MiB with these volumes.
fn metadata(volumes: &[String]) -> String {
    let volumes = volumes.concat();
    format!(
        "vg {{ id = \"g\" seqno = 3 format = \"lvm2\" status = [\"RESIZEABLE\", \"READ\", \"WRITE\"] flags = []
        extent_size = 8192
        physical_volumes {{ pv0 {{ id = \"{OWN}\" device = \"/dev/sda2\" status = [\"ALLOCATABLE\"] flags = []
        dev_size = 204800 pe_start = 2048 pe_count = 20 }} }}
        logical_volumes {{ {volumes} }} }}
        contents = \"Text Format Volume Group\" version = 1\n\0"
    )
}

fn of(volumes: &[String]) -> Result<Group, String> {
    read_group(&physical(&metadata(volumes), TEXT_AT))
}

const fn extents(from: u64, count: u64) -> Run {
    Run { start: MIB + from * 4 * MIB, length: count * 4 * MIB }
}

#[test]
fn linear_volumes_are_found_where_they_are() {
    let volumes = [volume("root", &[linear(0, 10)]), volume("swap", &[linear(12, 3)])];
    let found = of(&volumes).unwrap();
    assert_eq!((found.name.as_str(), found.first), ("vg", MIB));
    let plain = |name: &str, run| Volume { name: name.to_owned(), runs: vec![run], opaque: None };
    assert_eq!(found.volumes, [plain("root", extents(0, 10)), plain("swap", extents(12, 3))]);
    // A text that goes on at the area's beginning is read as one.
    assert_eq!(read_group(&physical(&metadata(&volumes), AREA_SIZE - 300)), Ok(found));
    assert_eq!(of(&[]).unwrap().volumes, []);
}

#[test]
fn segments_that_follow_one_another_are_one_place() {
    let next = |from, at, length| {
        segment((at, length), &format!("type = \"striped\" stripe_count = 1 stripes = [\"pv0\", {from}]"))
    };
    let found =
        of(&[volume("one", &[linear(0, 4), next(4, 4, 2)]), volume("two", &[linear(10, 2), next(8, 2, 2)])]);
    let found = found.unwrap().volumes;
    assert_eq!((&*found[0].runs, &found[0].opaque), (&[extents(0, 6)][..], &None));
    assert_eq!(found[1].runs, [extents(10, 2), extents(8, 2)]);
    assert_eq!(found[1].opaque.as_deref(), Some("it is in 2 places"));
}

#[test]
fn what_is_not_a_volume_by_itself_is_opaque() {
    let hidden = volume("pool_tdata", &[linear(0, 2)]).replace(", \"VISIBLE\"", "");
    let locked = volume("moving", &[linear(2, 2)]).replace("\"READ\"", "\"READ\", \"LOCKED\"");
    let flagged = volume("odd", &[linear(4, 1)]).replace("flags = []", "flags = [\"NEW\"]");
    let snapshot =
        segment((0, 2), "type = \"snapshot\" chunk_size = 8 origin = \"root\" cow_store = \"snap\"");
    let stripes =
        "type = \"striped\" stripe_count = 2 stripe_size = 128 stripes = [\"pv0\", 12, \"pv0\", 13]";
    let writes = segment((0, 1), "type = \"writecache\" stripes = [\"pv0\", 16]  stripe_count = 1");
    let found = of(&[
        hidden,
        locked,
        flagged,
        volume("root", &[linear(6, 2)]),
        volume("snap", &[linear(8, 2)]),
        volume("snapshot0", &[snapshot]),
        volume("wide", &[segment((0, 2), stripes)]),
        volume("cached", &[writes]),
        volume("data", &[segment((0, 1), "type = \"thin\" thin_pool = \"pool\"")]),
    ]);
    let found = found.unwrap().volumes;
    let why: Vec<(&str, &str)> =
        found.iter().map(|one| (one.name.as_str(), one.opaque.as_deref().unwrap_or_default())).collect();
    assert_eq!(
        why,
        [
            ("pool_tdata", "it is a part of another volume"),
            ("moving", "it is LOCKED"),
            ("odd", "it is NEW"),
            ("root", "volume snapshot0 is built on it"),
            ("snap", "volume snapshot0 is built on it"),
            ("wide", "it is striped over 2 places"),
            ("cached", "it is of type writecache"),
        ]
    );
}

#[test]
fn groups_that_are_not_known_whole_are_not_believed() {
    let root = || volume("root", &[linear(0, 10)]);
    let with = |from: &str, to: &str| {
        let text = metadata(&[root()]);
        assert!(text.contains(from), "{from}");
        read_group(&physical(&text.replace(from, to), TEXT_AT)).unwrap_err()
    };
    let second = format!("pv1 {{ id = \"other\" }} pv0 {{ id = \"{OWN}\"");
    for (from, to, why) in [
        (&*format!("pv0 {{ id = \"{OWN}\""), &*second, "its group vg is on 2 physical volumes"),
        (OWN, "other", "its group vg does not know it"),
        ("\"RESIZEABLE\"", "\"PARTIAL\"", "the group is PARTIAL, which is not known here"),
        (
            "status = [\"ALLOCATABLE\"] flags = []",
            "status = [] flags = [\"MISSING\"]",
            "the physical volume is MISSING, which is not known here",
        ),
        ("seqno = 3", "lock_type = \"sanlock\"", "its group vg is shared with other machines"),
        ("pe_count = 20", "pe_count = 25", "its group vg reaches beyond its end"),
        ("pe_count = 20", "pe_count = 18446744073709551615", "its group vg reaches beyond its end"),
        ("pe_count = 20", "pe_count = 9", "its metadata lack something"),
        ("segment_count = 1", "segment_count = 2", "its metadata lack something"),
        ("extent_count = 10", "extent_count = 18446744073709551615", "its metadata lack something"),
        ("start_extent = 0", "start_extent = 1", "its metadata lack something"),
        ("version = 1\n", "version = 2\n", "its metadata are of another format"),
        ("seqno = 3", "seqno = [", "its metadata cannot be understood"),
    ] {
        assert_eq!(with(from, to), why, "{to}");
    }
    let twice = of(&[root(), volume("other", &[linear(9, 2)])]);
    assert_eq!(twice.unwrap_err(), "volumes of its group vg overlap");
}

#[test]
fn what_is_not_as_it_was_written_is_not_believed() {
    let good = physical(&metadata(&[volume("root", &[linear(0, 10)])]), TEXT_AT);
    let with = |at: usize, new: &[u8]| {
        let mut bytes = good.clone();
        put(&mut bytes, at, new);
        read_group(&bytes).unwrap_err()
    };
    assert_eq!(with(SECTOR + 40, b"!"), "its label is damaged");
    assert_eq!(with(2 * SECTOR, LABEL), "it has not one label");
    assert_eq!(with(AREA_AT + 100, b"!"), "an area of its metadata is damaged");
    assert_eq!(with(AREA_AT + TEXT_AT + 3, b"!"), "its metadata are damaged");
    assert_eq!(read_group(&good[..AREA_AT]).unwrap_err(), "it ends there");
    assert_eq!(read_group(&physical("", TEXT_AT)).unwrap_err(), "it belongs to no volume group");
}

proptest! {
    #[test]
    fn no_bytes_break_it(text in ".{0,400}", at in 512_usize..AREA_SIZE, flip in 0_usize..9000, byte in any::<u8>()) {
        let mut bytes = physical(&text, at);
        let _group = read_group(&bytes);
        bytes[flip] = byte;
        let _group = read_group(&bytes);
    }

    #[test]
    fn no_words_break_it(words in proptest::collection::vec(0_usize..14, 0..60), cut in 0_usize..1200) {
        const WORDS: [&str; 14] = ["a", "{", "}", "=", "[", "]", ",", "\"", "\\", "#", "\n", "1", "stripes", "é"];
        let text: String = words.iter().filter_map(|&word| WORDS.get(word)).copied().collect();
        let _section = text::Section::parse(&text);
        let whole = metadata(&[volume("root", &[linear(0, 10)])]);
        let _cut = read_group(&physical(whole.get(..cut).unwrap_or_default(), TEXT_AT));
    }
}
