//! The labels of a disk of ZFS, as far as blkid looks at them: a list of names and values in XDR (`sys/fs/zfs.h`, `nvpair.c` of
//! OpenZFS), which blkid of Debian 13 reads, and uberblocks, which the one of Debian 12 counts.

const KIB: usize = 1024;
/// A label is so long, and there are two at the beginning and two at the end.
const LABEL: usize = 256 * KIB;
const NAMES: usize = 16 * KIB;
const UBERBLOCKS: usize = 128 * KIB;
const MAGIC: u64 = 0x00BA_B10C;

/// What a name can have: three of the kinds of `data_type_t`.
enum Value<'a> {
    Number(u64),
    Text(&'a str),
    List(&'a [(&'a str, Value<'a>)]),
}

/// A label of a pool of one disk, as it stands in all four places.
pub(super) fn label() -> Vec<u8> {
    let device = [
        ("type", Value::Text("disk")),
        ("id", Value::Number(0)),
        ("guid", Value::Number(0x1234_5678_9ABC_DEF0)),
        ("path", Value::Text("/dev/sda1")),
        ("ashift", Value::Number(12)),
    ];
    let pool = [
        ("version", Value::Number(5000)),
        ("name", Value::Text("tank")),
        ("state", Value::Number(0)),
        ("txg", Value::Number(4)),
        ("pool_guid", Value::Number(0x0FED_CBA9_8765_4321)),
        ("errata", Value::Number(0)),
        ("hostid", Value::Number(0x1234)),
        ("hostname", Value::Text("john")),
        ("top_guid", Value::Number(0x1234_5678_9ABC_DEF0)),
        ("guid", Value::Number(0x1234_5678_9ABC_DEF0)),
        ("vdev_children", Value::Number(1)),
        ("vdev_tree", Value::List(&device)),
    ];
    let mut label = vec![0; LABEL];
    // Encoded as XDR, on a little-endian machine.
    let names = [vec![1, 1, 0, 0], list(&pool)].concat();
    label[NAMES..][..names.len()].copy_from_slice(&names);
    for index in 0..8 {
        label[UBERBLOCKS + index * KIB..][..8].copy_from_slice(&MAGIC.to_le_bytes());
    }
    label
}

/// Version 0, names that are unique, the pairs, and what ends them.
fn list(pairs: &[(&str, Value<'_>)]) -> Vec<u8> {
    let pairs = pairs.iter().flat_map(|(name, value)| pair(name, value));
    number(0).into_iter().chain(number(1)).chain(pairs).chain([0; 8]).collect()
}

fn pair(name: &str, value: &Value<'_>) -> Vec<u8> {
    let (kind, value) = match value {
        Value::Number(value) => (8, value.to_be_bytes().to_vec()),
        Value::Text(value) => (9, text(value)),
        Value::List(value) => (19, list(value)),
    };
    let pair = [text(name), number(kind), number(1), value].concat();
    // Both sizes, of which the second is that in memory, count themselves.
    let size = number(pair.len() + 8);
    [size.clone(), size, pair].concat()
}

fn text(text: &str) -> Vec<u8> {
    let mut bytes = [number(text.len()), text.as_bytes().to_vec()].concat();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn number(number: usize) -> Vec<u8> {
    u32::try_from(number).unwrap().to_be_bytes().to_vec()
}
