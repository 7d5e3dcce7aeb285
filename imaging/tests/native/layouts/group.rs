//! LVM's own tools on parts of a disk in a file: they make a group there, and say what they find after a restore. Nothing is
//! activated.

use std::path::Path;
use std::process::Command;

/// Physical volumes of one group, the place and length of each, MiB.
pub(crate) type Places = Vec<(u64, u64)>;

/// Commands as an administrator types them, of which LVM sees the devices in `$devices` only; `volume NAME SIZE`, and
/// `changed SCRIPT` for what LVM's commands need the kernel for: the metadata as this script of sed makes them.
const TOOLS: &str = r#"
export LVM_SUPPRESS_FD_WARNINGS=1
trap 'for device in $devices; do losetup --detach $device; done' EXIT
tool() {
    local command=$1 filter=
    shift
    for device in $devices; do filter="$filter\"a|^$device\$|\","; done
    /sbin/$command --driverloaded n --config "
        devices { use_devicesfile=0 obtain_device_list_from_udev=0 external_device_info_source=none global_filter=[$filter\"r|.*|\"] }
        activation { udev_sync=0 udev_rules=0 } global { event_activation=0 } backup { backup=0 archive=0 }" "$@"
}
for name in pvcreate vgcreate lvcreate lvremove lvextend vgremove vgcfgbackup vgcfgrestore; do
    eval "$name() { tool $name \"\$@\" >tools.log 2>&1 || { cat tools.log >&2; return 1; }; }"
done
volume() { lvcreate -an -Zn -Wn -n $1 -L $2 vg; }
changed() { vgcfgbackup -f vg.text vg; sed -i "$1" vg.text; vgcfgrestore --force -f vg.text vg; }
"#;

/// A script for the folder of `disk` that makes a group with such options of `vgcreate`.
pub(crate) fn made(disk: &str, places: &Places, options: &str, commands: &str) -> String {
    let devices = devices(disk, places);
    format!("{TOOLS}{devices}vgcreate -q -y {options} vg $devices\n{commands}")
}

fn devices(disk: &str, places: &Places) -> String {
    let device = |(start, length): &(u64, u64)| {
        format!(
            "devices=\"$devices $(losetup --find --show --offset {start}MiB --sizelimit {length}MiB {disk})\"\n"
        )
    };
    places.iter().map(device).collect()
}

/// What LVM finds on a disk, which must be good.
pub(crate) fn found(folder: &Path, disk: &Path, places: &Places) -> String {
    let fields = "lv_full_name,lv_uuid,lv_size,vg_uuid,segtype,seg_start_pe,seg_size_pe,pv_count,lv_attr";
    let script = format!(
        "{TOOLS}{}tool vgck vg >/dev/null; tool pvck $devices >/dev/null; tool lvs -a --noheadings -o {fields}",
        devices(disk.to_str().unwrap(), places)
    );
    let output = Command::new("bash").args(["-ec", &script]).current_dir(folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "LVM does not take {}: {said}", disk.display());
    String::from_utf8_lossy(&output.stdout).into_owned()
}
