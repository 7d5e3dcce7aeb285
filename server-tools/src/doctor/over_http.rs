//! What UEFI clients load over HTTP where the settings say so (`HTTPBOOT`): kernel and initramfs. What does not come so they load
//! over TFTP, so that it is no reason against a job.

use super::facts::OverHttp;
use super::{Check, Finding};

/// The files that `rootfs/grub-config` has GRUB load over HTTP.
pub(super) const FILES: [&str; 2] = ["vmlinuz", "initrd"];

/// What to think of it. Pure. What is missing on the disk is told of where the boot files are.
pub(super) fn judge(file: &OverHttp) -> Finding {
    let name = file.name;
    let by_tftp = "so UEFI clients load it over TFTP, which takes longer";
    let mend = "have an HTTP server serve the folder of TFTPBASE on port 80 of PXEADDR, or remove HTTPBOOT from ghostrc and \
        call 'ghostctl root build'";
    match (&file.on_disk, &file.served) {
        (Ok(on_disk), Ok(served)) if on_disk == served => {
            Finding::good(Check::BootFile, format!("{name} comes over HTTP"))
        }
        (_, Ok(_)) => Finding::bad(
            Check::BootFile,
            format!("the HTTP server gives another {name} than the TFTP server's folder has"),
            mend,
        ),
        (_, Err(reason)) => Finding::warning(
            Check::BootFile,
            format!("{name} does not come over HTTP, {by_tftp}: {reason}"),
            mend,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::super::facts::Tried;
    use super::*;

    #[test]
    fn another_file_is_a_fault_and_none_costs_time_only() {
        let state = |on_disk: Tried<Vec<u8>>, served: Tried<Vec<u8>>| {
            judge(&OverHttp { name: "vmlinuz", on_disk, served }).state
        };
        assert_eq!(state(Ok(vec![1]), Ok(vec![1])), State::Good);
        assert_eq!(state(Ok(vec![1]), Ok(vec![2])), State::Bad);
        assert_eq!(state(Err("gone".to_owned()), Ok(vec![2])), State::Bad);
        assert_eq!(state(Ok(vec![1]), Err("no answer".to_owned())), State::Warning);
    }
}
