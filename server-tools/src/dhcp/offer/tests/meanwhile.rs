//! What other people and programs do to the configuration while it is edited, and between a swap and its revert.

use super::*;

#[test]
fn what_a_person_saves_during_an_edit_is_not_lost() {
    // While ours is written beside, and at the last moment.
    [Effect::Sync, Effect::Rename].into_iter().for_each(saved_during_an_edit);
}

fn saved_during_an_edit(when: Effect) {
    let server = Server::new("/bin/true");
    let (mut waiting, conf) = (|_: &str| (), server.site.dhcp_configuration.clone());
    let mut intended = Vec::new();
    let mut intend = |host: &HostName, swap: &Swap| {
        intended.push((host.clone(), swap.clone()));
        Ok(())
    };
    let mut effects = SavedMeanwhileBy(conf.clone(), when, 2);
    let mut offers = Offers::new(&server.site, "a test".to_owned(), &mut waiting, &mut effects);
    assert!(offers.swap(&names(&["john"]), &mut intend).unwrap().each[0].is_ok());
    assert_eq!(server.configured(), format!("{}\n# 1\n# 0", CONFIGURATION.replace("nobackup", "pxelinux.0")));
    let mut effects = SavedMeanwhileBy(conf.clone(), when, 1);
    let mut offers = Offers::new(&server.site, "a test".to_owned(), &mut waiting, &mut effects);
    let reverted = offers.revert(&intended[..1]).unwrap().each.remove(0);
    assert_eq!(reverted.unwrap(), Reverted::Restored);
    assert_eq!(server.configured(), format!("{CONFIGURATION}\n# 1\n# 0\n# 0"));
    let mut effects = SavedMeanwhileBy(conf, when, u8::MAX);
    let mut offers = Offers::new(&server.site, "a test".to_owned(), &mut waiting, &mut effects);
    let swapped = offers.swap(&names(&["john"]), &mut |_, _| Ok(()));
    let error = swapped.and_then(|mut edited| edited.each.remove(0)).unwrap_err();
    assert_eq!(Exit::of(&error), Exit::Busy, "{error:#}");
    assert!(!server.configured().contains("pxelinux.0"));
}

#[test]
fn a_file_that_is_saved_again_and_again_keeps_the_hosts_of_others_from_nothing() {
    let server = Server::new("/bin/true");
    let more = server.path("more");
    server.configure(&format!("include \"{}\";\n{CONFIGURATION}", more.display()));
    fs::write(
        &more,
        "host jim { hardware ethernet 0:a:eb:1:2:5; fixed-address 192.168.7.4; filename \"x\"; }",
    )
    .unwrap();
    let (mut waiting, mut effects) = (|_: &str| (), SavedMeanwhileBy(more.clone(), Effect::Rename, u8::MAX));
    let mut intended = Vec::new();
    let mut intend = |host: &HostName, _: &Swap| {
        intended.push(host.to_string());
        Ok(())
    };
    let mut offers = Offers::new(&server.site, "a test".to_owned(), &mut waiting, &mut effects);
    let Edited { each, ticket, .. } = offers.swap(&names(&["john", "jim"]), &mut intend).unwrap();
    assert!(each[0].is_ok() && ticket.is_some(), "{each:?}");
    assert_eq!(Exit::of(each[1].as_ref().unwrap_err()), Exit::Busy, "{each:?}");
    assert!(server.configured().contains("\"pxelinux.0\"; } # kept"));
    assert!(!fs::read_to_string(&more).unwrap().contains("pxelinux.0"));
    assert_eq!(intended.iter().filter(|host| *host == "john").count(), 1, "what is done is not done again");
}

#[test]
fn an_entry_that_was_moved_is_put_back_though_its_file_is_saved_at_that_moment() {
    let server = Server::new("/bin/true");
    let more = server.path("more");
    let swapped = server.swap(None).1;
    fs::write(&more, server.configured()).unwrap();
    server.configure(&format!("include \"{}\";", more.display()));
    let (mut waiting, mut effects) = (|_: &str| (), SavedMeanwhileBy(more.clone(), Effect::Rename, 2));
    let mut offers = Offers::new(&server.site, "a test".to_owned(), &mut waiting, &mut effects);
    let became = offers.revert(&swapped).unwrap().each.remove(0);
    assert_eq!(became.unwrap(), Reverted::Restored);
    assert_eq!(fs::read_to_string(&more).unwrap(), format!("{CONFIGURATION}\n# 1\n# 0"));
}

#[test]
fn what_another_program_writes_through_a_descriptor_that_was_open_before_is_told_once() {
    let server = Server::new("/bin/true");
    let mut editor = fs::File::options().append(true).open(&server.site.dhcp_configuration).unwrap();
    server.swap(None).0.unwrap();
    let told = server.site.kept_files.look();
    assert!(
        matches!(&told[..], [kept::Told::Warning(words)] if words.contains("open for writing when it was edited")),
        "{told:?}"
    );
    assert_eq!(server.site.kept_files.look(), [], "that is told once");
    io::Write::write_all(&mut editor, b"\n# theirs").unwrap();
    let told = server.site.clone().kept_files.look();
    let [kept] = &atomic::kept_beside(&server.site.dhcp_configuration)[..] else { panic!("{told:?}") };
    assert!(
        matches!(&told[..], [kept::Told::Trouble(words)] if words.contains(&*kept.to_string_lossy())),
        "{told:?}"
    );
    assert_eq!(fs::read_to_string(kept).unwrap(), format!("{CONFIGURATION}\n# theirs"));
    assert_eq!(server.site.kept_files.look(), []);
}

#[test]
fn what_was_swapped_through_a_link_is_put_back_where_it_was_edited_though_the_link_leads_elsewhere() {
    let server = Server::new("/bin/true");
    let (one, other) = (server.path("release-5"), server.path("release-6"));
    let conf = server.site.dhcp_configuration.clone();
    fs::rename(&conf, &one).unwrap();
    fs::write(&other, CONFIGURATION).unwrap();
    std::os::unix::fs::symlink(&one, &conf).unwrap();
    let (result, intended) = server.swap(None);
    result.unwrap();
    fs::remove_file(&conf).unwrap();
    std::os::unix::fs::symlink(&other, &conf).unwrap();
    let Edited { each, remarks, .. } = server.revert_all(&intended, None).unwrap();
    assert!(each.iter().all(Result::is_ok), "{each:?}");
    assert_eq!(fs::read_to_string(&one).unwrap(), CONFIGURATION, "it may be served again");
    assert!(
        remarks.iter().any(|remark| remark.contains("release-5") && remark.contains("release-6")),
        "{remarks:?}"
    );
    // Where it has gone meanwhile, that is told.
    server.revert_all(&intended, None).unwrap();
    fs::remove_file(&one).unwrap();
    let remarks = server.revert_all(&intended, None).unwrap().remarks;
    assert!(
        remarks
            .iter()
            .any(|remark| remark.contains("release-5, which was edited for the swap, is not there")),
        "{remarks:?}"
    );
}

#[test]
fn who_was_offered_the_boot_file_before_the_swap_is_left_alone_and_who_is_only_since_is_told() {
    let kiosk = "\nhost kiosk { hardware ethernet 2:0:0:0:0:7; filename \"pxelinux.0\"; }";
    for (now, became, told) in [
        // The host is deleted, and its network card is now in one that boots from the network always.
        (
            format!("{CONFIGURATION}{kiosk}")
                .split_once('\n')
                .unwrap()
                .1
                .replace("2:0:0:0:0:7", "0:a:eb:1:2:3"),
            "host kiosk was offered 'pxelinux.0' before the swap already",
            None,
        ),
        // The swapped entry was a template for another one.
        (
            format!(
                "{CONFIGURATION}{kiosk}\nhost new {{ hardware ethernet 2:0:0:0:0:9; filename \"nobackup\"; }}"
            )
            .replace("nobackup", "pxelinux.0"),
            "",
            Some(
                "dhcpd.conf:4:52: host new is offered 'pxelinux.0' too, which it was not when john was swapped",
            ),
        ),
    ] {
        let server = Server::new("/bin/true");
        server.configure(&format!("{CONFIGURATION}{kiosk}"));
        let (result, intended) = server.swap(None);
        result.unwrap();
        server.configure(&now);
        let Edited { mut each, remarks, .. } = server.revert_all(&intended, None).unwrap();
        match each.remove(0).unwrap() {
            Reverted::LeftAlone(fault) => {
                assert!(!became.is_empty() && fault.what.contains(became), "{fault}")
            }
            other => assert_eq!((other, became), (Reverted::Restored, "")),
        }
        assert!(server.configured().contains("pxelinux.0"), "it is another's: {}", server.configured());
        let newcomers: Vec<_> = remarks.iter().filter(|remark| remark.contains("which it was not")).collect();
        assert_eq!(newcomers.len(), usize::from(told.is_some()), "{remarks:?}");
        assert!(told.is_none_or(|told| newcomers[0].contains(told)), "{remarks:?}");
    }
}
