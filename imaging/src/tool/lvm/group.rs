//! A volume group's metadata → its volumes, and where each is on the only physical volume that it may have.

use super::text::{Section, Value};

/// The unit of places and lengths in the metadata, bytes.
const SECTOR: u64 = 512;
/// What a group, a physical volume and a logical volume may be, and nothing else: whatever LVM does besides (moving,
/// converting, sharing, mirroring) is not known here.
const GROUP: [&str; 3] = ["RESIZEABLE", "READ", "WRITE"];
const PHYSICAL: [&str; 1] = ["ALLOCATABLE"];
const LOGICAL: [&str; 3] = ["READ", "WRITE", "VISIBLE"];

/// A group on one physical volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub name: String,
    /// Where its first extent begins, in bytes of the physical volume.
    pub first: u64,
    /// Those that have extents, in the order of their names in the metadata.
    pub volumes: Vec<Volume>,
}

/// A logical volume that has extents on the physical volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    pub name: String,
    /// Where its bytes are, in the order in which the volume has them.
    pub runs: Vec<Run>,
    /// Why what it holds cannot be known from its bytes alone, if so.
    pub opaque: Option<String>,
}

/// A stretch of the physical volume, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    pub start: u64,
    pub length: u64,
}

impl Run {
    const fn end(self) -> u64 {
        self.start.saturating_add(self.length)
    }
}

/// The group that these metadata describe, for the physical volume with this identifier and length.
pub(super) fn of(metadata: &Section, id: &str, length: u64) -> Result<Group, String> {
    let missing = || "its metadata lack something".to_owned();
    if metadata.text("contents") != Some("Text Format Volume Group") || metadata.number("version") != Some(1)
    {
        return Err("its metadata are of another format".to_owned());
    }
    let mut groups = metadata.sections();
    let (Some((name, group)), None) = (groups.next(), groups.next()) else { return Err(missing()) };
    only(group, &GROUP, "the group")?;
    if group.text("lock_type").is_some_and(|kind| kind != "none") {
        return Err(format!("its group {name} is shared with other machines"));
    }
    let physical: Vec<_> = group.section("physical_volumes").ok_or_else(missing)?.sections().collect();
    let [(own, physical)] = physical[..] else {
        return Err(format!("its group {name} is on {} physical volumes", physical.len()));
    };
    only(physical, &PHYSICAL, "the physical volume")?;
    if physical.text("id").map(|id| id.replace('-', "")).as_deref() != Some(id) {
        return Err(format!("its group {name} does not know it"));
    }
    let number = |section: &Section, name: &str| section.number(name).ok_or_else(missing);
    let bytes = |sectors: u64| sectors.checked_mul(SECTOR).ok_or_else(missing);
    let (extent, first) = (bytes(number(group, "extent_size")?)?, bytes(number(physical, "pe_start")?)?);
    let count = number(physical, "pe_count")?;
    let end = count.checked_mul(extent).and_then(|all| all.checked_add(first));
    if !end.is_some_and(|end| extent > 0 && first > 0 && end <= length) {
        return Err(format!("its group {name} reaches beyond its end"));
    }
    let place = Place { own, first, extent, count };
    let empty = Section::default();
    let logical: Vec<_> = group.section("logical_volumes").unwrap_or(&empty).sections().collect();
    let mut volumes = Vec::new();
    for (name, volume) in &logical {
        volumes.extend(place.volume(name, volume, &logical).ok_or_else(missing)?);
    }
    let found = Group { name: name.to_owned(), first, volumes };
    if found.overlaps() { Err(format!("volumes of its group {name} overlap")) } else { Ok(found) }
}

/// Whether it has the status that is written for one that is in use, and no flags.
fn only(section: &Section, known: &[&str], what: &str) -> Result<(), String> {
    match unknown(section, known) {
        None => Ok(()),
        Some(status) => Err(format!("{what} is {status}, which is not known here")),
    }
}

fn unknown(section: &Section, known: &[&str]) -> Option<String> {
    let words = |name| {
        let list = section.list(name);
        list.map(|list| {
            list.iter().map(|value| if let Value::Text(word) = value { word.as_str() } else { "?" })
        })
    };
    let (Some(status), Some(flags)) = (words("status"), words("flags")) else {
        return Some("without a status".to_owned());
    };
    status.filter(|word| !known.contains(word)).chain(flags).next().map(str::to_owned)
}

/// Where the extents of the physical volume are.
struct Place<'a> {
    /// What the metadata call it.
    own: &'a str,
    first: u64,
    extent: u64,
    count: u64,
}

impl Place<'_> {
    /// None if its metadata contradict themselves, `Some(None)` if the volume has no extents of its own.
    fn volume(&self, name: &str, volume: &Section, all: &[(&str, &Section)]) -> Option<Option<Volume>> {
        let segments: Vec<&Section> = volume.sections().map(|(_, segment)| segment).collect();
        if volume.number("segment_count") != Some(segments.len() as u64) {
            return None;
        }
        let (mut runs, mut kind, mut at) = (Vec::<Run>::new(), None, 0_u64);
        for segment in segments {
            let count = segment.number("extent_count")?;
            if segment.number("start_extent")? != at || count == 0 {
                return None;
            }
            at = at.checked_add(count)?;
            match segment.text("type")? {
                "striped" => {}
                other => kind = Some(format!("it is of type {other}")),
            }
            let Some(stripes) = segment.list("stripes") else {
                continue;
            };
            let parts = stripes.len() as u64 / 2;
            if parts == 0 || segment.number("stripe_count")? != parts || stripes.len() % 2 != 0 {
                return None;
            }
            if parts > 1 {
                kind = Some(format!("it is striped over {parts} places"));
            }
            // Each stripe has its part of the extents.
            let share = count.checked_div(parts).filter(|share| share.checked_mul(parts) == Some(count))?;
            for pair in stripes.chunks_exact(2) {
                let [Value::Text(on), Value::Number(from)] = pair else { return None };
                if on != self.own {
                    kind = Some(format!("it is made of {on}"));
                    continue;
                }
                self.add(&mut runs, *from, share)?;
            }
        }
        if runs.is_empty() {
            return Some(None);
        }
        let opaque = kind.or_else(|| opaque(name, volume, all)).or_else(|| {
            let places = runs.len();
            (places > 1).then(|| format!("it is in {places} places"))
        });
        Some(Some(Volume { name: name.to_owned(), runs, opaque }))
    }

    /// Adds extents to what a volume has; they may go on where its last ones end.
    fn add(&self, runs: &mut Vec<Run>, from: u64, count: u64) -> Option<()> {
        from.checked_add(count).filter(|&end| end <= self.count)?;
        let (start, length) = (self.first + from * self.extent, count * self.extent);
        match runs.last_mut() {
            Some(last) if last.end() == start => last.length += length,
            _ => runs.push(Run { start, length }),
        }
        Some(())
    }
}

/// Why a volume whose segments are plain ones does not stand for itself, if so.
fn opaque(name: &str, volume: &Section, all: &[(&str, &Section)]) -> Option<String> {
    if let Some(status) = unknown(volume, &LOGICAL) {
        return Some(format!("it is {status}"));
    }
    if !volume.list("status").is_some_and(|status| status.contains(&Value::Text("VISIBLE".to_owned()))) {
        return Some("it is a part of another volume".to_owned());
    }
    // A snapshot still has what was deleted in its origin since, and reads that where it was.
    let other = all.iter().find(|(other, section)| {
        *other != name && section.sections().any(|(_, segment)| names(segment, name))
    });
    other.map(|(other, _)| format!("volume {other} is built on it"))
}

/// Whether any text in this segment is this name.
fn names(section: &Section, name: &str) -> bool {
    let is = |value: &Value| match value {
        Value::Text(text) => text == name,
        Value::List(list) => list.iter().any(|value| *value == Value::Text(name.to_owned())),
        Value::Section(section) => names(section, name),
        Value::Number(_) => false,
    };
    section.0.iter().any(|(_, value)| is(value))
}

impl Group {
    fn overlaps(&self) -> bool {
        let mut runs: Vec<Run> = self.volumes.iter().flat_map(|volume| volume.runs.clone()).collect();
        runs.sort_by_key(|run| run.start);
        runs.windows(2).any(|pair| matches!(pair, [a, b] if a.end() > b.start))
    }
}
