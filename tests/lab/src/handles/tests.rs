use super::*;

const SHADOW: Target = Target { inode: 0x0102, folder: Some(0x0304) };

/// What Linux' nfsd gives out for an exported folder that is no mount point: version 1, `FSID_UUID16_INUM` (7), and no file.
fn of_nfsd() -> Vec<u8> {
    [&[1, 0, 7, 0][..], &[0xaa; 24]].concat()
}

/// As NFS-Ganesha 4.3 gives it out for export 4000: a file system in 9 bytes, how the file is told, inode and generation, and a zero.
fn of_ganesha() -> Vec<u8> {
    let file = [&[0x44][..], &[0xbb; 8], &[1], &2_u32.to_ne_bytes(), &[9; 4]].concat();
    [&[0x43, 0, 0x0f, 0xa0, 18][..], &file, &[0]].concat()
}

fn numbers(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

#[test]
fn of_linux_own_server_the_file_system_is_kept_and_the_file_is_another() {
    let [alone, with_folder] = &forged(&of_nfsd(), SHADOW).unwrap()[..] else { panic!() };
    assert_eq!(alone.bytes[..28], [&[1, 0, 7, 1][..], &[0xaa; 24]].concat());
    assert_eq!(alone.bytes[28..], [2, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(with_folder.bytes[..28], [&[1, 0, 7, 2][..], &[0xaa; 24]].concat());
    assert_eq!(with_folder.bytes[28..], [2, 1, 0, 0, 0, 0, 0, 0, 4, 3, 0, 0, 0, 0, 0, 0]);
    // That of a folder below an export has a file in it already.
    let below = [&[1, 0, 6, 1][..], &[0xcc; 16], &[7; 8]].concat();
    let forged = forged(&below, Target { folder: None, ..SHADOW }).unwrap();
    assert_eq!(forged.len(), 1);
    assert_eq!(forged[0].bytes, [&[1, 0, 6, 1][..], &[0xcc; 16], &[2, 1, 0, 0, 0, 0, 0, 0]].concat());
}

#[test]
fn of_ganesha_the_kernels_handle_in_it_is_another() {
    let [alone, with_folder] = &forged(&of_ganesha(), SHADOW).unwrap()[..] else { panic!() };
    let before = 14;
    assert_eq!(alone.bytes[..before + 1], of_ganesha()[..before + 1]);
    assert_eq!(alone.bytes[before..], [1, 2, 1, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(with_folder.bytes[..4], of_ganesha()[..4]);
    assert_eq!(with_folder.bytes[4], 18 + 8);
    assert_eq!(with_folder.bytes[5..before], of_ganesha()[5..before]);
    assert_eq!(with_folder.bytes[before..], [2, 2, 1, 0, 0, 0, 0, 0, 0, 4, 3, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn of_ganesha_the_number_of_the_export_can_be_anothers() {
    let other = [&[0x43, 0, 0x0f, 0xa1][..], &[7; 20]].concat();
    let numbered_so = numbered(&of_ganesha(), &other).unwrap();
    assert_eq!(numbered_so, [&[0x43, 0, 0x0f, 0xa1][..], &of_ganesha()[4..]].concat());
    assert!(numbered(&of_ganesha(), &of_nfsd()).is_err() && numbered(&of_nfsd(), &of_ganesha()).is_err());
}

#[test]
fn what_is_no_handle_of_theirs_is_not_forged() {
    let tmpfs = [&[0x43, 0, 0, 1, 22, 0x44][..], &[0xbb; 8], &[1], &[9; 12]].concat();
    for handle in [
        &b""[..],
        &[1, 0],
        &[1, 0, 9, 0, 0, 0],
        &[1, 0, 7, 0, 0xaa],
        &[0x42; 32],
        &[0x43, 0, 0, 1, 0],
        &tmpfs,
    ] {
        assert!(forged(handle, SHADOW).is_err(), "{handle:?}");
    }
}

#[test]
fn a_call_is_roots_and_its_answer_is_taken_apart() {
    let call = call(MNT, &mount_of("/base"));
    assert_eq!(call[..4], (0x8000_0000 | u32::try_from(call.len() - 4).unwrap()).to_be_bytes());
    let words = [0x6768_7374, 0, 2, 100_005, 3, 1, 1, 20, 0, 0, 0, 0, 0, 0, 0, 5];
    assert_eq!(call[4..68], numbers(&words));
    assert_eq!(&call[68..], b"/base\0\0\0");
    let reply = [numbers(&[0x6768_7374, 1, 0, 0, 0, 0]), b"result".to_vec()].concat();
    assert_eq!(result(&reply).unwrap(), b"result");
    for bad in
        [&[1, 1, 0, 0, 0, 0][..], &[0x6768_7374, 1, 1, 1, 1], &[0x6768_7374, 1, 0, 0, 0, 2], &[0x6768_7374]]
    {
        assert!(result(&numbers(bad)).is_err(), "{bad:?}");
    }
}

#[test]
fn a_mount_gives_a_handle_or_the_reason() {
    let given = [numbers(&[0, 6]), b"handle\0\0".to_vec(), numbers(&[1, 1])].concat();
    assert_eq!(mounted(&given).unwrap(), b"handle");
    assert_eq!(mounted(&numbers(&[13])).unwrap_err().to_string(), "mountd refuses: NFS3ERR_ACCES");
    assert!(mounted(&[]).is_err());
    assert_eq!(port(&numbers(&[20_048])).unwrap(), 20_048);
    assert!(port(&numbers(&[0])).is_err());
}

#[test]
fn a_read_gives_bytes_or_the_reason() {
    let plain = [numbers(&[0, 0, 5, 1, 5]), b"root:\0\0\0".to_vec()].concat();
    let with_attributes =
        [numbers(&[0, 1]), vec![0; 84], numbers(&[5, 1, 5]), b"root:\0\0\0".to_vec()].concat();
    for reply in [plain, with_attributes] {
        assert_eq!(read(&reply), Some(Answer::Read(b"root:".to_vec())));
        assert_eq!(read(&reply[..reply.len() - 4]), None);
    }
    let refused = read(&numbers(&[70, 0])).unwrap();
    assert_eq!(refused.to_string(), "refused with NFS3ERR_STALE");
    assert_eq!(written(&numbers(&[30])).unwrap().to_string(), "refused with NFS3ERR_ROFS");
    assert_eq!(written(&numbers(&[0])), Some(Answer::Wrote));
    assert_eq!(Answer::Read(b"root:".to_vec()).to_string(), "read 5 bytes\nroot:");
}

#[test]
fn what_is_asked_names_the_handle() {
    assert_eq!(read_of(b"fh"), [numbers(&[2]), b"fh\0\0".to_vec(), numbers(&[0, 0, 4096])].concat());
    let write = [numbers(&[2]), b"fh\0\0".to_vec(), numbers(&[0, 0, 3, 2, 3]), b"new\0".to_vec()].concat();
    assert_eq!(write_of(b"fh", b"new"), write);
}
