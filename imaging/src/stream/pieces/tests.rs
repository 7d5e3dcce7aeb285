use super::*;

fn written(folder: &Path) -> Stream {
    let mut pieces = Pieces::new(folder, "a.zst".to_owned(), 4);
    pieces.write(b"abc").unwrap();
    pieces.write(b"defghij").unwrap();
    let (pieces, mut syncing) = pieces.finish().unwrap();
    syncing.wait().unwrap();
    Stream { length: 10, pieces }
}

fn read_back(folder: &Path, stream: &Stream) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    read(folder, stream, &Board::default(), |part| {
        bytes.extend_from_slice(part);
        Ok(())
    })?;
    Ok(bytes)
}

#[test]
fn a_stream_is_cut_and_put_together_again() {
    let folder = tempfile::tempdir().unwrap();
    let stream = written(folder.path());
    let names: Vec<_> = stream.pieces.iter().map(|piece| (piece.file.as_str(), piece.size)).collect();
    assert_eq!(names, [("a.zst.000", 4), ("a.zst.001", 4), ("a.zst.002", 2)]);
    assert_eq!(read_back(folder.path(), &stream).unwrap(), b"abcdefghij");
}

#[test]
fn a_piece_goes_to_the_disk_while_it_grows() {
    let folder = tempfile::tempdir().unwrap();
    let mut pieces = Pieces::new(folder.path(), "a".to_owned(), 100);
    pieces.stretch = 4;
    for (bytes, sent, under_way) in [("abc", 0, false), ("def", 6, true), ("g", 6, true), ("hij", 10, true)] {
        pieces.write(bytes.as_bytes()).unwrap();
        assert_eq!(pieces.current.as_ref().map(|current| current.sent), Some(sent), "{bytes}");
        assert_eq!(pieces.syncing.0.is_some(), under_way, "{bytes}");
    }
    let (pieces, mut syncing) = pieces.finish().unwrap();
    syncing.wait().unwrap();
    let stream = Stream { length: 10, pieces };
    assert_eq!(read_back(folder.path(), &stream).unwrap(), b"abcdefghij");
}

#[test]
fn a_stream_that_ends_with_a_piece_has_no_empty_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut pieces = Pieces::new(folder.path(), "a".to_owned(), 4);
    pieces.write(b"abcdefgh").unwrap();
    assert_eq!(pieces.finish().unwrap().0.len(), 2);
}

#[test]
fn a_piece_that_is_not_as_it_was_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let stream = written(folder.path());
    let second = folder.path().join("a.zst.001");
    fs::write(&second, "efgx").unwrap();
    let said = read_back(folder.path(), &stream).unwrap_err().to_string();
    assert!(said.starts_with(&format!("{} is damaged: its checksum is ", second.display())), "{said}");
    fs::write(&second, "efg").unwrap();
    let said = check_sizes(folder.path().into(), &stream).unwrap_err().to_string();
    assert_eq!(said, format!("{} has 3 bytes, not 4: it is damaged", second.display()));
    fs::remove_file(&second).unwrap();
    let said = check_sizes(folder.path().into(), &stream).unwrap_err().to_string();
    assert_eq!(said, format!("cannot read {}", second.display()));
}

#[test]
fn a_damaged_piece_is_named_though_the_taker_breaks_off() {
    let folder = tempfile::tempdir().unwrap();
    let stream = written(folder.path());
    fs::write(folder.path().join("a.zst.000"), "abcx").unwrap();
    let broken = |_: &[u8]| Err(io::ErrorKind::BrokenPipe.into());
    let said = read(folder.path(), &stream, &Board::default(), broken).unwrap_err().to_string();
    assert!(said.contains("a.zst.000 is damaged: its checksum is "), "{said}");
}

#[test]
fn a_link_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let stream = written(folder.path());
    let first = folder.path().join("a.zst.000");
    fs::rename(&first, folder.path().join("elsewhere")).unwrap();
    std::os::unix::fs::symlink("elsewhere", &first).unwrap();
    let said = check_sizes(folder.path().into(), &stream).unwrap_err().to_string();
    assert_eq!(said, format!("cannot read {}", first.display()));
}

#[test]
fn who_has_no_time_left_reads_no_further() {
    let folder = tempfile::tempdir().unwrap();
    let stream = written(folder.path());
    let late = Board::until(std::time::Instant::now());
    let said = read(folder.path(), &stream, &late, |_| Ok(())).unwrap_err().to_string();
    assert!(said.starts_with("it takes too long to read ") && said.ends_with("a.zst.000"), "{said}");
}
