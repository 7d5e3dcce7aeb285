//! Makes up configurations that dhcpd accepts, in as odd a shape as it allows.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// What may stand between two tokens. Lone blanks are the likeliest, as in life.
const GAPS: [&[u8]; 9] = [
    b" ",
    b" ",
    b"\n\t",
    b"\r\n  ",
    b" # } ; \" { host x {\n",
    b" #\r\n",
    b" # Gr\xfc\xdfe \x80\xfe\n",
    b"\x0b\x0c\r",
    b" # g\xc3\xbcnstig\r\n\r\n",
];

/// Values of `filename`, none of them the boot file of the tests.
const VALUES: [&[u8]; 8] = [
    b"\"nobackup\"",
    b"\"no;back{up}#\"",
    b"\"a\\\"b\\\\\"",
    b"\"\\x41\\101/boot\"",
    b"\"\"",
    b"\"two\nlines\"",
    b"\"\xe9\xfe\"",
    b"\"pxelinux.0 \"",
];

/// One thing in a scope.
#[derive(Debug, Clone)]
enum Item {
    Host(HostShape),
    Group(Vec<Item>),
    Subnet(Vec<Item>),
    Parameter(&'static str),
}

#[derive(Debug, Clone)]
struct HostShape {
    value: &'static [u8],
    digits: bool,
    capitals: bool,
    filename_first: bool,
    extra: &'static str,
}

/// A configuration, with the names of its hosts in their order.
#[derive(Debug, Clone)]
pub(crate) struct Configuration {
    pub(crate) bytes: Vec<u8>,
    pub(crate) hosts: Vec<String>,
}

/// Any configuration with at least one host.
pub(crate) fn configuration() -> impl Strategy<Value = Configuration> {
    let gaps = vec(select(GAPS.to_vec()), 1..40);
    let ending = select(vec![&b""[..], b"\n", b"\r\n", b" # end", b"\n\n#"]);
    (vec(item(), 1..8), host(), gaps, ending).prop_map(|(mut items, host, gaps, ending)| {
        items.push(Item::Host(host));
        let mut writer = Writer { out: Vec::new(), gaps, gap: 0, subnets: 0, hosts: Vec::new() };
        writer.items(&items);
        writer.out.extend_from_slice(ending);
        Configuration { bytes: writer.out, hosts: writer.hosts }
    })
}

fn item() -> impl Strategy<Value = Item> {
    let parameter = select(vec![
        "option domain-name \"a;b}\"",
        "default-lease-time 600",
        "filename \"inherited\"",
        "if exists host-name { filename \"maybe{\"; } elsif known { } else { next-server 10.0.0.1; }",
        "on commit { set x = \"}\"; }",
    ]);
    let leaf = prop_oneof![3 => host().prop_map(Item::Host), 1 => parameter.prop_map(Item::Parameter)];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![vec(inner.clone(), 0..4).prop_map(Item::Group), vec(inner, 0..4).prop_map(Item::Subnet),]
    })
}

fn host() -> impl Strategy<Value = HostShape> {
    let extra = select(vec![
        "",
        "",
        "option host-name \"filename \\\"x\\\";\"",
        "if known { next-server 10.0.0.1; }",
    ]);
    (select(VALUES.to_vec()), any::<bool>(), any::<bool>(), any::<bool>(), extra).prop_map(
        |(value, digits, capitals, filename_first, extra)| HostShape {
            value,
            digits,
            capitals,
            filename_first,
            extra,
        },
    )
}

struct Writer {
    out: Vec<u8>,
    gaps: Vec<&'static [u8]>,
    gap: usize,
    subnets: usize,
    hosts: Vec<String>,
}

impl Writer {
    fn items(&mut self, items: &[Item]) {
        for item in items {
            match item {
                Item::Host(host) => self.host(host),
                Item::Group(inner) => {
                    self.words("group {");
                    self.items(inner);
                    self.words("}");
                }
                // Subnets do not nest; their hosts may stand in a group as well.
                Item::Subnet(inner) if self.subnets == 0 => {
                    self.subnets += 1;
                    self.words("subnet 10.0.0.0 netmask 255.0.0.0 {");
                    self.items(inner);
                    self.words("}");
                }
                Item::Subnet(inner) => self.items(inner),
                Item::Parameter(text) => self.text(text),
            }
        }
    }

    fn host(&mut self, host: &HostShape) {
        let number = self.hosts.len();
        let name = format!("pc-{number}");
        let keyword = if host.capitals { "HOST" } else { "host" };
        self.words(&format!("{keyword} {name} {{"));
        if host.filename_first {
            self.filename(host.value);
        }
        let mac = if host.digits {
            format!("2:0:0:A:f:{number:x}")
        } else {
            format!("02:00:00:0a:0F:{number:02X}")
        };
        self.words(&format!("hardware ethernet {mac} ; fixed-address 10.0.1.{number};"));
        self.text(host.extra);
        if !host.filename_first {
            self.filename(host.value);
        }
        self.words("}");
        self.hosts.push(name);
    }

    fn filename(&mut self, value: &[u8]) {
        self.words("filename");
        self.out.extend_from_slice(value);
        self.gap();
        self.words(";");
    }

    /// A text whose blanks may be within strings, so that they are left alone.
    fn text(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
        if !text.is_empty() && !text.ends_with('}') {
            self.out.push(b';');
        }
        self.gap();
    }

    fn words(&mut self, words: &str) {
        for word in words.split(' ') {
            self.out.extend_from_slice(word.as_bytes());
            self.gap();
        }
    }

    fn gap(&mut self) {
        self.out.extend_from_slice(self.gaps[self.gap % self.gaps.len()]);
        self.gap += 1;
    }
}
