use super::*;
use crate::fdt_writer::FdtWriter;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::sync::LazyLock;

const MACHINE: Machine = Machine { cores: 8, memory_bytes: 0x4000_0000 };

/// A property of a test manifest.
enum Property {
    Text(&'static str, &'static str),
    Cells(&'static str, &'static [u32]),
}
use Property::{Cells, Text};

fn domain(domains: &mut FdtWriter<'_>, name: &str, properties: &[Property]) {
    domains.node(format_args!("{name}"), |node| {
        for property in properties {
            match property {
                Text(key, value) => node.texts(key, &[value]),
                Cells(key, value) => node.cells(key, value),
            }
        }
    });
}

fn blob(body: impl FnOnce(&mut FdtWriter<'_>)) -> Vec<u8> {
    let mut out = vec![0; 0x8000];
    let mut tree = FdtWriter::new(&mut out);
    tree.node(format_args!(""), |root| {
        root.texts("compatible", &[COMPATIBLE]);
        root.node(format_args!("domains"), body);
    });
    tree.finish().unwrap();
    out
}

/// The least that a domain needs, and then these.
fn with(more: Vec<Property>) -> Vec<Property> {
    let mut properties = vec![Text("image", "Image"), Cells("memory-size", &[0, 0x800_0000])];
    let replaced = |old: &Property| {
        let key = |property: &Property| match property {
            Text(key, _) | Cells(key, _) => *key,
        };
        more.iter().any(|new| key(new) == key(old))
    };
    properties.retain(|old| !replaced(old));
    properties.extend(more);
    properties
}

/// What `corral check` and the boot would say about it.
fn judge(blob: &[u8]) -> Result<(), String> {
    let manifest = Manifest::parse(blob).map_err(|error| error.to_string())?;
    let exists = |file: &str| ["Image", "initramfs.cpio"].contains(&file);
    manifest.validate(&MACHINE, exists).map_err(|error| error.to_string())
}

/// The same about a manifest whose one domain, `linux`, has the least and these properties.
fn judge_with(more: Vec<Property>) -> Result<(), String> {
    judge(&blob(|domains| domain(domains, "linux", &with(more))))
}

#[track_caller]
fn refused(more: Vec<Property>, words: &str) {
    assert_eq!(judge_with(more), Err(words.to_owned()));
}

#[test]
fn a_full_manifest_is_read() {
    let blob = blob(|domains| {
        domain(
            domains,
            "linux",
            &[
                Text("board", "virt"),
                Text("image", "Image"),
                Text("format", "image"),
                Text("initramfs", "initramfs.cpio"),
                Text("cmdline", "console=ttyAMA0"),
                Cells("memory-base", &[0, 0x8000_0000]),
                Cells("memory-size", &[0, 0x1000_0000]),
                Cells("cores-min", &[1]),
                Cells("cores-start", &[2]),
                Cells("cores-max", &[4]),
                Cells("cores-deadline-ms", &[500]),
                Cells("takes-idle", &[1]),
                Cells("manages-cores", &[0]),
                Cells("priority", &[50]),
                Text("on-fault", "restart"),
                Text("on-reset", "stop"),
                Cells("restarts-max", &[50]),
                Text("end", "any"),
            ],
        );
        domain(
            domains,
            "metronome-2",
            &with(vec![
                Text("board", "none"),
                Text("format", "raw"),
                Cells("load-offset", &[0, 0x8_0000]),
                Cells("memory-base", &[0, 0]),
                Cells("manages-cores", &[1]),
                Text("end", "running"),
            ]),
        );
    });
    let manifest = Manifest::parse(&blob).unwrap();
    let [linux, metronome] = &manifest.domains[..] else { panic!("two domains") };
    assert_eq!(
        *linux,
        DomainSpec {
            name: "linux",
            board: Board::Virt,
            image: "Image",
            format: ImageFormat::Image,
            load_offset: None,
            initramfs: Some("initramfs.cpio"),
            cmdline: "console=ttyAMA0",
            memory: Memory { base: 0x8000_0000, size: 0x1000_0000 },
            cores: CoreCounts { min: 1, start: 2, max: 4 },
            deadline_ms: 500,
            takes_idle: true,
            manages_cores: false,
            priority: 50,
            on_fault: Action::Restart,
            on_reset: Action::Stop,
            restarts_max: 50,
            end: ExpectedEnd::Any,
        }
    );
    assert_eq!((metronome.format, metronome.load_offset), (ImageFormat::Raw, Some(0x8_0000)));
    assert_eq!(metronome.board, Board::None);
    assert_eq!(metronome.memory.base, 0);
    assert!(metronome.manages_cores && !metronome.takes_idle);
    assert_eq!(metronome.end, ExpectedEnd::Running);
    assert_eq!(judge(&blob), Ok(()));
}

#[test]
fn defaults_are_as_documented() {
    let blob = blob(|domains| domain(domains, "linux", &with(vec![])));
    let manifest = Manifest::parse(&blob).unwrap();
    assert_eq!(
        manifest.domains[0],
        DomainSpec {
            name: "linux",
            board: Board::Virt,
            image: "Image",
            format: ImageFormat::Image,
            load_offset: None,
            initramfs: None,
            cmdline: "",
            memory: Memory { base: 0x4000_0000, size: 0x800_0000 },
            cores: CoreCounts { min: 1, start: 1, max: 1 },
            deadline_ms: 2000,
            takes_idle: false,
            manages_cores: false,
            priority: 100,
            on_fault: Action::Stop,
            on_reset: Action::Restart,
            restarts_max: 3,
            end: ExpectedEnd::Off,
        }
    );
    assert_eq!(judge(&blob), Ok(()));
}

#[test]
fn what_is_no_manifest_is_refused() {
    let judge_tree = |body: fn(&mut FdtWriter<'_>)| {
        let mut out = vec![0; 1024];
        let mut tree = FdtWriter::new(&mut out);
        tree.node(format_args!(""), body);
        tree.finish().unwrap();
        judge(&out).unwrap_err()
    };
    let other = "manifest: compatible is not \"corral,manifest-v1\"";
    assert_eq!(judge_tree(|_| ()), other);
    assert_eq!(judge_tree(|root| root.texts("compatible", &["corral,manifest-v2"])), other);
    assert_eq!(judge_tree(|root| root.texts("compatible", &[COMPATIBLE, "b"])), other);
    assert_eq!(
        judge_tree(|root| {
            root.texts("compatible", &[COMPATIBLE]);
            root.cells("version", &[1]);
        }),
        "manifest: unknown property version"
    );
    assert_eq!(
        judge_tree(|root| {
            root.texts("compatible", &[COMPATIBLE]);
            root.node(format_args!("herds"), |_| ());
        }),
        "manifest: unknown node herds"
    );
    assert_eq!(judge(b"").unwrap_err(), "manifest: not a device tree: Invalid FDT length at offset 0");
    let whole = blob(|domains| domain(domains, "linux", &with(vec![])));
    assert_eq!(judge(&whole[..100]).unwrap_err(), "manifest: not a device tree: Invalid FDT length at offset 4");
    assert_eq!(judge(&blob(|domains| domains.cells("a", &[]))).unwrap_err(), "manifest: unknown property a");
    assert_eq!(judge(&blob(|_| ())).unwrap_err(), "manifest: no domain");
}

/// What is said about a manifest with a domain and these further nodes.
fn judge_settings(nodes: &[(&str, &[Property])]) -> Result<(), String> {
    let mut out = vec![0; 0x1000];
    let mut tree = FdtWriter::new(&mut out);
    tree.node(format_args!(""), |root| {
        root.texts("compatible", &[COMPATIBLE]);
        root.node(format_args!("domains"), |domains| domain(domains, "linux", &with(vec![])));
        nodes.iter().for_each(|(name, properties)| domain(root, name, properties));
    });
    tree.finish().unwrap();
    judge(&out)
}

#[test]
fn the_governor_and_the_power_settings_are_read() {
    let manifest = |nodes: &[(&str, &[Property])]| {
        let mut out = vec![0; 0x1000];
        let mut tree = FdtWriter::new(&mut out);
        tree.node(format_args!(""), |root| {
            root.texts("compatible", &[COMPATIBLE]);
            nodes.iter().for_each(|(name, properties)| domain(root, name, properties));
        });
        tree.finish().unwrap();
        let manifest = Manifest::parse(&out).unwrap();
        (manifest.governor, manifest.power)
    };
    assert_eq!(manifest(&[]), (None, None));
    let defaults = GovernorSpec { period_ms: 100, high_permille: 800, low_permille: 300, hold: 3 };
    assert_eq!(manifest(&[("governor", &[])]), (Some(defaults), None));
    let all = [("period-ms", [10]), ("high-permille", [900]), ("low-permille", [100]), ("hold", [5])];
    let all = all.each_ref().map(|(key, value)| Cells(key, value.to_vec().leak()));
    let governor = GovernorSpec { period_ms: 10, high_permille: 900, low_permille: 100, hold: 5 };
    let power = PowerSpec { break_even_us: 5000 };
    let nodes: [(&str, &[Property]); 2] = [("power", &[Cells("break-even-us", &[5000])]), ("governor", &all)];
    assert_eq!(manifest(&nodes), (Some(governor), Some(power)));
    assert_eq!(judge_settings(&nodes), Ok(()));
}

#[test]
fn a_bad_governor_is_refused() {
    let refused = |properties: &[Property], words: &str| {
        assert_eq!(judge_settings(&[("governor", properties)]).unwrap_err(), words);
    };
    refused(&[Cells("period-ms", &[0])], "governor: period-ms = 0: not between 1 and 60000");
    refused(&[Cells("period-ms", &[60_001])], "governor: period-ms = 60001: not between 1 and 60000");
    refused(&[Cells("high-permille", &[1001])], "governor: high-permille = 1001: not between 1 and 1000");
    refused(&[Cells("high-permille", &[0])], "governor: high-permille = 0: not between 1 and 1000");
    refused(&[Cells("low-permille", &[800])], "governor: low-permille = 800: not between 0 and 799");
    refused(&[Cells("high-permille", &[300])], "governor: low-permille = 300: not between 0 and 299");
    refused(&[Cells("hold", &[0])], "governor: hold = 0: not between 1 and 1000");
    refused(&[Cells("hold", &[1001])], "governor: hold = 1001: not between 1 and 1000");
    refused(&[Text("hold", "many")], "governor: hold: not a 32-bit number");
    refused(&[Cells("period", &[1])], "governor: unknown property period");
    refused(&[Cells("hold", &[1]), Cells("hold", &[1])], "governor: hold: there twice");
    let edge = [("period-ms", [60_000]), ("high-permille", [1]), ("low-permille", [0]), ("hold", [1000])];
    let edge = edge.each_ref().map(|(key, value)| Cells(key, value.to_vec().leak()));
    assert_eq!(judge_settings(&[("governor", &edge)]), Ok(()));
    assert_eq!(judge_settings(&[("governor", &[]), ("governor", &[])]).unwrap_err(), "governor: there twice");
}

#[test]
fn bad_power_settings_are_refused() {
    let judge = |properties: &[Property]| judge_settings(&[("power", properties)]).unwrap_err();
    assert_eq!(judge(&[]), "power: break-even-us is missing");
    assert_eq!(judge(&[Cells("break-even-us", &[0])]), "power: break-even-us = 0: must not be 0");
    assert_eq!(judge(&[Cells("break-even-us", &[0, 1])]), "power: break-even-us: not a 32-bit number");
    assert_eq!(judge(&[Cells("exit-us", &[1])]), "power: unknown property exit-us");
}

#[test]
fn bad_settings_about_cores_are_refused() {
    refused(vec![Cells("takes-idle", &[2])], "domain linux: takes-idle = 2: not between 0 and 1");
    refused(vec![Text("manages-cores", "true")], "domain linux: manages-cores: not a 32-bit number");
    refused(
        vec![Cells("cores-deadline-ms", &[3_600_001])],
        "domain linux: cores-deadline-ms = 3600001: not between 0 and 3600000",
    );
    assert_eq!(judge_with(vec![Cells("cores-deadline-ms", &[0])]), Ok(()));
    assert_eq!(judge_with(vec![Cells("cores-deadline-ms", &[3_600_000])]), Ok(()));
}

#[test]
fn unknown_repeated_and_missing_properties_are_refused() {
    refused(vec![Cells("core-max", &[1])], "domain linux: unknown property core-max");
    refused(vec![Cells("priority", &[1]), Cells("priority", &[2])], "domain linux: priority: there twice");
    let without = |properties: &[Property]| judge(&blob(|domains| domain(domains, "linux", properties))).unwrap_err();
    assert_eq!(without(&[Cells("memory-size", &[0, 0])]), "domain linux: image is missing");
    assert_eq!(without(&[Text("image", "Image")]), "domain linux: memory-size is missing");
    let nested = blob(|domains| {
        domains.node(format_args!("linux"), |linux| linux.node(format_args!("disk"), |_| ()));
    });
    assert_eq!(judge(&nested).unwrap_err(), "domain linux: unknown node disk");
}

#[test]
fn values_of_another_type_are_refused() {
    refused(vec![Cells("image", &[1])], "domain linux: image: not a string");
    refused(vec![Cells("image", &[])], "domain linux: image: not a string");
    refused(vec![Text("image", "a\0b")], "domain linux: image: not a string");
    refused(vec![Cells("cores-max", &[0, 1])], "domain linux: cores-max: not a 32-bit number");
    refused(vec![Cells("memory-size", &[1])], "domain linux: memory-size: not a 64-bit number");
    refused(vec![Text("priority", "12")], "domain linux: priority: not a 32-bit number");
}

#[test]
fn words_that_mean_nothing_are_refused() {
    refused(vec![Text("board", "pc")], r#"domain linux: board = "pc": not one of "virt" "none""#);
    refused(vec![Text("format", "")], r#"domain linux: format = "": not one of "image" "elf" "raw""#);
    refused(vec![Text("on-fault", "ignore")], r#"domain linux: on-fault = "ignore": not one of "stop" "restart""#);
    refused(
        vec![Text("end", "never")],
        r#"domain linux: end = "never": not one of "off" "exit" "fault" "reset" "failed" "hung" "running" "any""#,
    );
}

#[test]
fn every_word_for_an_end_is_taken() {
    for name in ExpectedEnd::NAMES {
        assert_eq!(judge_with(vec![Text("end", name)]), Ok(()));
        assert_eq!(ExpectedEnd::from_name(name).unwrap().name(), name);
    }
}

#[test]
fn bad_core_counts_are_refused() {
    let counts = |min, start, max| vec![Cells("cores-min", min), Cells("cores-start", start), Cells("cores-max", max)];
    refused(counts(&[1], &[9], &[4]), "domain linux: cores-start = 9: more than cores-max = 4");
    refused(counts(&[3], &[2], &[4]), "domain linux: cores-min = 3: more than cores-start = 2");
    refused(counts(&[0], &[0], &[4]), "domain linux: cores-start = 0: not between 1 and 123");
    refused(counts(&[0], &[0], &[0]), "domain linux: cores-max = 0: not between 1 and 123");
    refused(counts(&[1], &[1], &[124]), "domain linux: cores-max = 124: not between 1 and 123");
    assert_eq!(judge_with(counts(&[0], &[1], &[123])), Ok(()));
    refused(vec![Cells("cores-start", &[9])], "manifest: the domains start with 9 cores, the machine has 8");
}

#[test]
fn bad_priorities_are_refused() {
    refused(vec![Cells("priority", &[0])], "domain linux: priority = 0: not between 1 and 254");
    refused(vec![Cells("priority", &[255])], "domain linux: priority = 255: not between 1 and 254");
    refused(vec![Cells("priority", &[256])], "domain linux: priority = 256: not between 1 and 254");
    assert_eq!(judge_with(vec![Cells("priority", &[254])]), Ok(()));
}

#[test]
fn bad_memory_is_refused() {
    let memory = |base, size| vec![Cells("memory-base", base), Cells("memory-size", size)];
    refused(
        memory(&[0, 0x4010_0000], &[0, 0x20_0000]),
        "domain linux: memory-base = 0x40100000: not a multiple of 0x200000",
    );
    refused(
        memory(&[0, 0x4000_0000], &[0, 0x20_0001]),
        "domain linux: memory-size = 0x200001: not a multiple of 0x200000",
    );
    refused(
        memory(&[0, 0x0800_0000], &[0, 0x4000_0000]),
        "domain linux: memory-base = 0x8000000: overlaps the board's devices below 0x40000000",
    );
    refused(memory(&[0, 0x4000_0000], &[0, 0]), "domain linux: memory-size = 0x0: must not be 0");
    let beyond = "memory ends beyond 0x4000000000";
    refused(memory(&[0x3f, 0xffe0_0000], &[0, 0x40_0000]), &format!("domain linux: memory-size = 0x400000: {beyond}"));
    refused(
        memory(&[0xffff_ffff, 0xffe0_0000], &[0, 0x20_0000]),
        &format!("domain linux: memory-size = 0x200000: {beyond}"),
    );
    assert_eq!(judge_with(memory(&[0x3f, 0xffe0_0000], &[0, 0x20_0000])), Ok(()));
    refused(
        memory(&[0, 0x4000_0000], &[0, 0x4020_0000]),
        "manifest: the domains have 0x40200000 bytes of memory, the machine has 0x40000000 for them",
    );
}

#[test]
fn a_load_offset_is_for_raw_images_and_inside_the_memory() {
    refused(
        vec![Cells("load-offset", &[0, 0])],
        "domain linux: load-offset = 0x0: means nothing without format = \"raw\"",
    );
    let raw = |offset| vec![Text("format", "raw"), Cells("load-offset", offset)];
    refused(raw(&[0, 0x800_0000]), "domain linux: load-offset = 0x8000000: outside the domain's memory");
    assert_eq!(judge_with(raw(&[0, 0x7ff_ffff])), Ok(()));
}

#[test]
fn missing_files_are_refused() {
    refused(vec![Text("image", "Imag")], "domain linux: image = \"Imag\": no such file");
    refused(vec![Text("initramfs", "x")], "domain linux: initramfs = \"x\": no such file");
}

#[test]
fn a_command_line_that_linux_would_cut_is_refused() {
    let long: &'static str = "x".repeat(COMMAND_LINE_MAX + 1).leak();
    refused(vec![Text("cmdline", long)], "domain linux: cmdline: longer than 2047 bytes");
    assert_eq!(judge_with(vec![Text("cmdline", &long[1..])]), Ok(()));
}

#[test]
fn bad_names_are_refused() {
    let judge_name = |name: &str| judge(&blob(|domains| domain(domains, name, &with(vec![]))));
    let long = "a".repeat(32);
    for name in ["1a", "-a", "Linux", "a@1", "a_b", "a.b"] {
        let words = format!("domain {name}: a name is a letter and up to 30 more of a-z, 0-9 and -");
        assert_eq!(judge_name(name), Err(words));
    }
    // No node of a tree has such a name.
    for name in ["", "a b", "ä", &long] {
        assert_eq!(judge_name(name).unwrap_err(), "manifest: not a device tree: Invalid node name at offset 112");
    }
    assert_eq!(judge_name(&long[1..]), Ok(()));
}

#[test]
fn domains_are_limited_in_number_and_have_their_own_names() {
    let many = |count: usize| {
        blob(|domains| {
            for index in 0..count {
                let size = Cells("memory-size", &[0, 0x20_0000]);
                domain(domains, &format!("d{index}"), &with(vec![size]));
            }
        })
    };
    let largest = Machine { cores: 32, ..MACHINE };
    assert_eq!(Manifest::parse(&many(32)).unwrap().validate(&largest, |_| true), Ok(()));
    assert_eq!(judge(&many(33)).unwrap_err(), "manifest: more than 32 domains");
    assert_eq!(judge(&many(9)).unwrap_err(), "manifest: the domains start with 9 cores, the machine has 8");
    let twins = blob(|domains| {
        domain(domains, "a", &with(vec![]));
        domain(domains, "a", &with(vec![]));
    });
    assert_eq!(judge(&twins).unwrap_err(), "domain a: there is another domain of this name");
}

#[test]
fn memory_knows_what_lies_in_it() {
    let memory = Memory { base: 0x4000_0000, size: 0x20_0000 };
    assert!(memory.contains(0x4000_0000, 0x20_0000));
    assert!(memory.contains(0x401f_fffc, 4));
    assert!(!memory.contains(0x401f_fffd, 4));
    assert!(!memory.contains(0x3fff_ffff, 1));
    assert!(!memory.contains(0x4000_0000, u64::MAX));
    assert!(!memory.contains(u64::MAX, 2));
}

proptest! {
    /// Whatever bytes of a manifest are changed and wherever it is cut: it is read or refused, and that can be said.
    #[test]
    fn a_damaged_manifest_never_panics(
        changes in vec((0..FULL.len(), any::<u8>()), 0..4),
        words in vec((0..FULL.len() / 4, select(&[0, 1, 2, 3, 4, 9, u32::MAX])), 0..4),
        length in prop_oneof![Just(FULL.len()), 0..=FULL.len()],
    ) {
        let mut blob = FULL.clone();
        words.iter().for_each(|(at, word)| blob[4 * at..][..4].copy_from_slice(&u32::to_be_bytes(*word)));
        changes.iter().for_each(|(at, value)| blob[*at] = *value);
        let _ = judge(&blob[..length]);
    }
}

/// A manifest with a node of each kind.
static FULL: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut out = vec![0; 0x1000];
    let mut tree = FdtWriter::new(&mut out);
    tree.node(format_args!(""), |root| {
        root.texts("compatible", &[COMPATIBLE]);
        root.node(format_args!("domains"), |domains| {
            domain(domains, "one", &with(vec![Text("board", "none"), Cells("priority", &[50])]));
            domain(domains, "two", &with(vec![Text("on-fault", "restart"), Cells("cores-max", &[2])]));
        });
        root.node(format_args!("groups"), |groups| {
            groups.node(format_args!("pair"), |pair| {
                pair.texts("members", &["one", "two"]);
                pair.texts("on-reset", &["take-over", "restart", "restart"]);
                pair.cells("heartbeat-ms", &[100]);
            });
        });
        domain(root, "governor", &[Cells("period-ms", &[100])]);
        domain(root, "power", &[Cells("break-even-us", &[5000])]);
    });
    let length = tree.finish().unwrap();
    assert_eq!(judge(&out), Ok(()));
    out.truncate(length);
    out
});
