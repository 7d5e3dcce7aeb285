//! Lists as people and programs really write them.

use super::*;

fn list(name: &str, text: &str) -> Result<Vec<String>, String> {
    let (machines, _) = read(Path::new(name), text.as_bytes()).map_err(|error| format!("{error:#}"))?;
    let shown = |machine: &Machine| {
        format!(
            "{} {} {}",
            machine.name,
            machine.mac,
            machine.ip.map_or_else(|| "-".to_owned(), |ip| ip.to_string())
        )
    };
    Ok(machines.iter().map(shown).collect())
}

const PC1: &str = "pc1 00:11:22:33:44:01 10.0.0.11";
const PC2: &str = "pc2 00:11:22:33:44:02 10.0.0.12";

#[test]
fn tables_in_all_dress() {
    for (what, text) in [
        ("plain", "pc1,00:11:22:33:44:01,10.0.0.11\npc2,00:11:22:33:44:02,10.0.0.12\n"),
        ("no line end at the end", "pc1,00:11:22:33:44:01,10.0.0.11\npc2,00:11:22:33:44:02,10.0.0.12"),
        (
            "a spreadsheet's",
            "\u{feff}\"pc1\";\"00-11-22-33-44-01\";\"10.0.0.11\"\r\n\"pc2\";\"00-11-22-33-44-02\";\"10.0.0.12\"\r\n",
        ),
        ("tabs", "pc1\t001122334401\t10.0.0.11\npc2\t0011.2233.4402\t10.0.0.12\n"),
        (
            "blanks, comments, empty lines",
            "# lab 1\n\n pc1 , 0:11:22:33:44:1 , 10.0.0.11 \n,,\n\npc2,00:11:22:33:44:02,10.0.0.12, beside the door\n",
        ),
        (
            "columns with names",
            "IP Address,Room,Computer Name,MAC-Address\n10.0.0.11,7,pc1,00:11:22:33:44:01\n10.0.0.12,7,pc2,00:11:22:33:44:02\n",
        ),
        (
            "a comma in quotes",
            "room,host,mac,ip\n\"7, by the door\",pc1,00:11:22:33:44:01,10.0.0.11\n,pc2,00:11:22:33:44:02,10.0.0.12\n",
        ),
    ] {
        assert_eq!(list("machines.csv", text), Ok(vec![PC1.to_owned(), PC2.to_owned()]), "{what}");
        assert_eq!(
            list("machines.txt", text),
            Ok(vec![PC1.to_owned(), PC2.to_owned()]),
            "{what}, without an ending"
        );
    }
}

#[test]
fn what_is_wrong_in_a_table_is_told_all_at_once_with_its_place() {
    let text = "pc1,00:11:22:33:44:01,10.0.0.11\npc 2,00:11:22:33:44:02,10.0.0.12\npc3,00:11:22:33:44,10.0.0.13\npc4,00:11:22:33:44:04,10.0.0\n\
                pc5\npc6,01:00:5e:00:00:01,10.0.0.16\npc7,00:11:22:33:44:01,10.0.0.17\nPC1,00:11:22:33:44:08,10.0.0.18\npc9,00:11:22:33:44:09,10.0.0.11\n";
    let told = list("m.csv", text).unwrap_err();
    for words in [
        "m.csv:2:1: 'pc 2' is not a host name: ' ' is not a letter",
        "m.csv:3:1: '00:11:22:33:44' is not a hardware address",
        "m.csv:4:1: '10.0.0' is not an IPv4 address",
        "m.csv:5:1: this line has no name, hardware address and address",
        "m.csv:6:1: 01:00:5e:00:00:01 is no single machine's",
        "m.csv:7:1: pc7 has what pc1 has already: 00:11:22:33:44:01",
        "m.csv:8:1: PC1 has what pc1 has already: pc1",
        "m.csv:9:1: pc9 has what pc1 has already: 10.0.0.11",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(list("m.csv", "who knows,what,this\nis,1,2\n").unwrap_err().contains("nor names the columns"));
    assert!(list("m.csv", "").unwrap_err().contains("has no machine in it"));
    assert!(
        read(Path::new("m.csv"), b"pc1,00:11:22:33:44:01,10.0.0.11\np\xff2,00:11:22:33:44:02,10.0.0.12\n")
            .is_err()
    );
}

#[test]
fn a_quote_without_its_end_is_told_and_does_not_swallow_the_lines_behind_it() {
    let pc = |number: u8, more: &str| format!("pc{number},00:11:22:33:44:0{number},10.0.0.1{number}{more}\n");
    let inches = pc(1, ",\"19 inch") + &pc(2, "") + &pc(3, "");
    let told = list("m.csv", &inches).unwrap_err();
    assert!(told.contains("m.csv:1:33: these quotes have no end in this line"), "{told}");
    let two = pc(1, "") + &pc(2, ",\"a \"\" b") + "# \"\n" + pc(3, ",\"x").trim_end();
    let told = list("m.csv", &two).unwrap_err();
    assert!(told.contains("m.csv:2:33: these") && told.contains("m.csv:4:33: these"), "all of them: {told}");
    for (what, good) in [
        ("quotes inside of a field", pc(1, ",19\" rack") + &pc(2, "")),
        ("doubled ones", pc(1, ",\"19\"\" rack, left\"") + &pc(2, ",\"\"")),
        ("a comment", "# the \"old\n".to_owned() + &pc(1, "") + &pc(2, "")),
    ] {
        assert_eq!(list("m.csv", &good), Ok(vec![PC1.to_owned(), PC2.to_owned()]), "{what}");
    }
}

#[test]
fn ethers_has_names_and_no_addresses() {
    let text = "# ethers(5)\n00:11:22:33:44:01 pc1\n\n0:11:22:33:44:2\tpc2 # by the door\n";
    let expected = Ok(vec!["pc1 00:11:22:33:44:01 -".to_owned(), "pc2 00:11:22:33:44:02 -".to_owned()]);
    assert_eq!(list("ethers", text), expected);
    assert_eq!(list("list", text), expected, "by what is in it");
    let told =
        list("ethers", "00:11:22:33:44:01 10.0.0.11\n00:11:22:33:44:02\nx pc3\n00:11:22:33:44:04 pc4 pc5\n")
            .unwrap_err();
    for words in [
        ":1:1: 10.0.0.11 is an address",
        ":2:1: a line has",
        ":3:1: 'x' is not a hardware",
        ":4:1: a line has",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
}

fn lease(ip: &str, mac: &str, name: &str) -> String {
    let name = if name.is_empty() { String::new() } else { format!("  client-hostname \"{name}\";\n") };
    format!(
        "lease {ip} {{\n  starts 4 2026/11/26 14:19:00;\n  ends 4 2026/11/26 20:19:00;\n  cltt 4 2026/11/26 14:19:00;\n  binding state active;\n\
         \x20 next binding state free;\n  rewind binding state free;\n  hardware ethernet {mac};\n  uid \"\\001\\000\\021\\\"3D\\001\";\n{name}}}\n"
    )
}

#[test]
fn of_leases_the_last_word_of_each_machine_holds() {
    let head = "# The format of this file is documented in the dhcpd.leases(5) manual page.\nauthoring-byte-order little-endian;\n\
                server-duid \"\\000\\001\\000\\001*\\300\";\n\n";
    let all = [
        lease("10.0.0.50", "00:11:22:33:44:09", "other"),
        lease("10.0.0.50", "00:11:22:33:44:01", "pc1"),
        lease("10.0.0.11", "00:11:22:33:44:01", "pc1"),
        lease("10.0.0.12", "00:11:22:33:44:02", "pc2"),
        lease("10.0.0.60", "00:11:22:33:44:0a", ""),
        lease("10.0.0.61", "00:11:22:33:44:0b", "Bob's telephone"),
        "lease 10.0.0.70 {\n  starts 4 2026/11/26 14:19:00;\n  binding state backup;\n}\n".to_owned(),
    ];
    let text = format!("{head}{}", all.concat());
    assert_eq!(list("dhcpd.leases", &text), Ok(vec![PC1.to_owned(), PC2.to_owned()]));
    assert_eq!(list("leases.old", &text), Ok(vec![PC1.to_owned(), PC2.to_owned()]), "by what is in it");
    let (_, remarks) = read(Path::new("dhcpd.leases"), text.as_bytes()).unwrap();
    assert_eq!(
        remarks,
        ["10.0.0.61 (00:11:22:33:44:0b) is passed over, since no host can be called 'Bob's telephone'"]
    );
}

#[test]
fn of_two_leases_of_one_name_the_newer_one_is_taken() {
    let text =
        lease("10.0.0.90", "00:11:22:33:44:09", "PC1") + &lease("10.0.0.11", "00:11:22:33:44:01", "pc1");
    let (machines, remarks) = read(Path::new("dhcpd.leases"), text.as_bytes()).unwrap();
    assert_eq!((machines.len(), machines[0].mac.to_string().as_str()), (1, "00:11:22:33:44:01"));
    assert!(
        remarks[0].contains("10.0.0.90") && remarks[0].contains("a newer lease has its name PC1"),
        "{remarks:?}"
    );
    let broken = list("dhcpd.leases", "lease 10.0.0.1 {\n").unwrap_err();
    assert!(broken.contains("dhcpd.leases:1:16: this is not what dhcpd writes: the '{'"), "{broken}");
}

/// A lease in another state, of another year.
fn lease_of(ip: &str, mac: &str, state: &str, year: u16) -> String {
    let lease = lease(ip, mac, "pc1").replace("2026/", &format!("{year}/"));
    lease.replace("  binding state active;", &format!("  binding state {state};"))
}

#[test]
fn of_two_leases_of_one_machine_the_one_that_it_has_is_taken_wherever_it_stands() {
    let mac = "00:11:22:33:44:01";
    let epoch = |lease: String| {
        lease.replace("4 2026/11/26 14:19:00", "epoch 1795875540").replace("4 2026/11/26 20:19:00", "never")
    };
    for (what, [has, had]) in [
        (
            "an old one is free",
            [lease_of("10.0.0.11", mac, "active", 2026), lease_of("10.0.0.60", mac, "free", 2024)],
        ),
        (
            "a newer one is free",
            [
                lease_of("10.0.0.11", mac, "active", 2025).replace("ends 4 2025", "ends 4 2027"),
                lease_of("10.0.0.60", mac, "free", 2026),
            ],
        ),
        (
            "both are active",
            [lease_of("10.0.0.11", mac, "active", 2026), lease_of("10.0.0.60", mac, "active", 2024)],
        ),
        (
            "in seconds",
            [epoch(lease_of("10.0.0.11", mac, "active", 2026)), lease_of("10.0.0.60", mac, "active", 2025)],
        ),
    ] {
        for text in [has.clone() + &had, had.clone() + &has] {
            let (machines, remarks) = read(Path::new("dhcpd.leases"), text.as_bytes()).unwrap();
            assert_eq!(machines[0].ip, Some([10, 0, 0, 11].into()), "{what}: {text}");
            assert_eq!((machines.len(), remarks), (1, Vec::<String>::new()), "{what}");
        }
    }
}

#[test]
fn a_machine_that_has_no_lease_any_more_is_told() {
    let ended = lease_of("10.0.0.60", "00:11:22:33:44:01", "active", 2024);
    let other = lease("10.0.0.12", "00:11:22:33:44:02", "pc2");
    for (lease, words) in [
        (lease_of("10.0.0.60", "00:11:22:33:44:01", "free", 2024), "its lease is free, and began 2024-11-26"),
        (ended, "its lease has ended, and began 2024-11-26"),
    ] {
        let (machines, remarks) = read(Path::new("dhcpd.leases"), (lease + &other).as_bytes()).unwrap();
        assert_eq!((machines.len(), remarks.len()), (2, 1), "{remarks:?}");
        assert!(
            remarks[0].starts_with(&format!(
                "pc1 (00:11:22:33:44:01) may have another address than 10.0.0.60 now: {words}"
            )),
            "{remarks:?}"
        );
    }
}

#[test]
fn a_lease_of_no_single_machine_is_passed_over() {
    let text =
        lease("10.0.0.60", "01:00:5e:00:00:01", "pc9") + &lease("10.0.0.11", "00:11:22:33:44:01", "pc1");
    let (machines, remarks) = read(Path::new("dhcpd.leases"), text.as_bytes()).unwrap();
    assert_eq!((machines.len(), machines[0].name.as_str()), (1, "pc1"));
    assert_eq!(
        remarks,
        ["10.0.0.60 (01:00:5e:00:00:01) is passed over, since no single machine has that hardware address"]
    );
}
