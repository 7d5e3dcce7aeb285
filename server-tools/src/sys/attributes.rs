//! Gives a new file what the one has that it will replace: owner, mode, access control list, labels.
//!
//! An access control list and an SELinux label are extended attributes (xattr(7), acl(5)). With a list the mode's group bits
//! are its mask, so that the mode alone would give the group more than it has.

use std::ffi::CStr;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::Path;

use rustix::fs::{
    XattrFlags, fgetxattr, fremovexattr, fsetxattr, getxattr, getxattr_query, listxattr, listxattr_query,
};
use rustix::io::Errno;

/// The one that a new file may have of its folder (acl(5), default list) though the old one has none.
const ACL: &CStr = c"system.posix_acl_access";
/// Those that speak of a file's contents, which the kernel makes anew.
const OF_CONTENTS: [&CStr; 2] = [c"security.ima", c"security.evm"];

pub(crate) fn copy_owner(like: &Path, file: &File) -> io::Result<()> {
    let like = fs::metadata(like)?;
    fchown(file, Some(like.uid()), Some(like.gid()))
}

pub(crate) fn copy_mode(like: &Path, file: &File) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(fs::metadata(like)?.mode() & 0o7777))
}

/// All others. To be called last: a list sets the mode's bits too.
pub(crate) fn copy_extended(like: &Path, file: &File) -> io::Result<()> {
    let names = names(like)?;
    if !names.iter().any(|name| name.as_c_str() == ACL) {
        match fremovexattr(file, ACL) {
            Ok(()) => copy_mode(like, file)?,
            Err(Errno::NODATA | Errno::NOTSUP) => {}
            Err(error) => return Err(error.into()),
        }
    }
    for name in names.iter().filter(|name| !OF_CONTENTS.contains(&name.as_c_str())) {
        let mut value = vec![0; getxattr_query(like, name.as_c_str())?];
        let length = getxattr(like, name.as_c_str(), &mut value[..])?;
        let value = value.get(..length).unwrap_or_default();
        // A label that the folder gives it anyway may be one that a container may not set.
        if !has(file, name, value) {
            fsetxattr(file, name.as_c_str(), value, XattrFlags::empty())?;
        }
    }
    Ok(())
}

fn has(file: &File, name: &CStr, wanted: &[u8]) -> bool {
    // One byte more tells a longer value apart.
    let mut value = vec![0; wanted.len() + 1];
    fgetxattr(file, name, &mut value[..]).is_ok_and(|length| value.get(..length) == Some(wanted))
}

fn names(path: &Path) -> io::Result<Vec<std::ffi::CString>> {
    let mut list = match listxattr_query(path) {
        Ok(length) => vec![0_u8; length],
        // A file system without any.
        Err(Errno::NOTSUP) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let length = listxattr(path, &mut list[..])?;
    let names = list.get(..length).unwrap_or_default().split_inclusive(|byte| *byte == 0);
    Ok(names.filter_map(|name| CStr::from_bytes_with_nul(name).ok().map(CStr::to_owned)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::setxattr;

    /// A list as Linux keeps it (linux/posix_acl_xattr.h): user rw-, uid 7 r--, group ---, mask r--, other ---.
    const LIST: [u8; 44] = [
        2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 7, 0, 0, 0, 4, 0, 0, 0, 255, 255, 255, 255,
        16, 0, 4, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255,
    ];

    fn value(path: &Path, name: &CStr) -> Option<Vec<u8>> {
        let mut value = vec![0; 1_000];
        let length = getxattr(path, name, &mut value[..]).ok()?;
        value.truncate(length);
        Some(value)
    }

    #[test]
    fn a_list_and_an_attribute_of_a_person_are_kept_and_the_group_gets_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (folder.path().join("old"), folder.path().join("new"));
        fs::write(&old, "").unwrap();
        setxattr(&old, ACL, &LIST, XattrFlags::empty()).unwrap();
        setxattr(&old, c"user.note", b"kept", XattrFlags::empty()).unwrap();
        let file = File::create(&new).unwrap();
        copy_mode(&old, &file).unwrap();
        copy_extended(&old, &file).unwrap();
        assert_eq!(value(&new, ACL).unwrap(), LIST);
        assert_eq!(value(&new, c"user.note").unwrap(), b"kept");
        assert_eq!(fs::metadata(&new).unwrap().mode(), fs::metadata(&old).unwrap().mode());
    }

    #[test]
    fn a_list_that_comes_from_the_folder_is_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (folder.path().join("old"), folder.path().join("new"));
        fs::write(&old, "").unwrap();
        fs::set_permissions(&old, Permissions::from_mode(0o640)).unwrap();
        setxattr(folder.path(), c"system.posix_acl_default", &LIST, XattrFlags::empty()).unwrap();
        let file = File::create(&new).unwrap();
        assert!(value(&new, ACL).is_some(), "the folder gives its files a list");
        copy_mode(&old, &file).unwrap();
        copy_extended(&old, &file).unwrap();
        assert_eq!(value(&new, ACL), None);
        assert_eq!(fs::metadata(&new).unwrap().mode() & 0o777, 0o640);
    }
}
