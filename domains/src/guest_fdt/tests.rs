use super::*;
use crate::manifest::{COMMAND_LINE_MAX, MAX_CONTEXTS};
use crate::tree;
use dtoolkit::fdt::{Fdt, FdtNode};
use dtoolkit::standard::NodeStandard;
use dtoolkit::{Node, Property};

const LINUX: DomainView<'_> = DomainView {
    board: Board::Virt,
    contexts: 4,
    memory: Memory { base: 0x4000_0000, size: 0x1_1000_0000 },
    cmdline: "console=ttyAMA0 quiet",
    initramfs: Some(0x4800_0000..0x4812_3456),
    region: None,
};

fn blob(domain: &DomainView<'_>) -> Vec<u8> {
    let mut out = vec![0xaa; MAX_BYTES];
    let length = build(domain, &mut out).unwrap();
    out.truncate(length);
    out
}

fn with_tree(domain: &DomainView<'_>, test: impl FnOnce(&Fdt<'_>)) {
    test(&tree::open(&blob(domain)).unwrap());
}

fn cells(node: FdtNode<'_>, name: &str) -> Vec<u32> {
    let property = node.property(name).unwrap_or_else(|| panic!("{name} is missing"));
    property.value().chunks(4).map(|cell| u32::from_be_bytes(cell.try_into().unwrap())).collect()
}

fn texts<'a>(node: FdtNode<'a>, name: &str) -> Vec<&'a str> {
    let property = node.property(name).unwrap_or_else(|| panic!("{name} is missing"));
    let (last, texts) = property.value_as::<&[u8]>().unwrap().split_last().unwrap();
    assert_eq!(*last, 0);
    texts.split(|byte| *byte == 0).map(|text| core::str::from_utf8(text).unwrap()).collect()
}

fn compatible<'a>(tree: &Fdt<'a>, kind: &str) -> Option<FdtNode<'a>> {
    tree.root().children().find(|node| node.is_compatible(kind))
}

/// The `N` addresses and sizes in a node's `reg`.
fn regions<const N: usize>(node: FdtNode<'_>) -> [(u64, u64); N] {
    let regions = node.reg().unwrap().unwrap().map(|region| (region.address().unwrap(), region.size().unwrap()));
    regions.collect::<Vec<_>>().try_into().unwrap()
}

#[test]
fn linux_finds_its_command_line_console_and_initramfs() {
    with_tree(&LINUX, |tree| {
        let chosen = tree.chosen().unwrap();
        assert_eq!(chosen.bootargs(), Ok(Some(LINUX.cmdline)));
        let console = tree.find_node(chosen.stdout_path().unwrap().unwrap()).unwrap();
        assert_eq!(console.name(), "pl011@9000000");
        let node = tree.find_node("/chosen").unwrap();
        assert_eq!(cells(node, "linux,initrd-start"), [0, 0x4800_0000]);
        assert_eq!(cells(node, "linux,initrd-end"), [0, 0x4812_3456]);
    });
    with_tree(&DomainView { initramfs: None, ..LINUX }, |tree| {
        assert!(tree.find_node("/chosen").unwrap().property("linux,initrd-start").is_none());
    });
}

#[test]
fn memory_is_what_was_granted() {
    with_tree(&LINUX, |tree| {
        assert_eq!(regions(*tree.memory().unwrap()), [(0x4000_0000, 0x1_1000_0000)]);
        assert!(tree.find_node("/memory@40000000").is_some());
    });
}

#[test]
fn every_possible_cpu_is_there_with_the_board_s_affinity() {
    with_tree(&DomainView { contexts: 18, ..LINUX }, |tree| {
        let ids: Vec<_> = tree.cpus().unwrap().cpus().map(|cpu| cells(*cpu, "reg")).collect();
        let expected: Vec<_> = (0..16).chain([0x100, 0x101]).map(|id| vec![id]).collect();
        assert_eq!(ids, expected);
        let last = tree.find_node("/cpus/cpu@101").unwrap();
        assert_eq!(texts(last, "enable-method"), ["psci"]);
        assert_eq!(texts(last, "device_type"), ["cpu"]);
        assert_eq!(texts(last, "compatible"), ["arm,armv8"]);
    });
}

#[test]
fn every_cpu_has_the_standby_state_and_its_timer_goes_on_there() {
    with_tree(&DomainView { contexts: 18, ..LINUX }, |tree| {
        let states = tree.find_node("/cpus/idle-states").unwrap();
        assert_eq!(texts(states, "entry-method"), ["psci"]);
        let standby = states.children().next().unwrap();
        assert_eq!(texts(standby, "compatible"), ["arm,idle-state"]);
        assert_eq!(cells(standby, "arm,psci-suspend-param"), [0]);
        let [entry, exit, residency] =
            ["entry-latency-us", "exit-latency-us", "min-residency-us"].map(|name| cells(standby, name)[0]);
        assert!(entry + exit <= residency, "{residency}");
        assert!(standby.property("local-timer-stop").is_none());
        let phandle = cells(standby, "phandle");
        let cpus = tree.find_node("/cpus").unwrap();
        let users: Vec<_> = cpus.children().filter(|node| node.name().starts_with("cpu@")).collect();
        assert_eq!(users.len(), 18);
        for cpu in users {
            assert_eq!(cells(cpu, "cpu-idle-states"), phandle, "{}", cpu.name());
        }
    });
}

#[test]
fn psci_is_called_by_hvc() {
    with_tree(&LINUX, |tree| {
        let psci = tree.find_node("/psci").unwrap();
        assert_eq!(texts(psci, "compatible"), ["arm,psci-1.0", "arm,psci-0.2", "arm,psci"]);
        assert_eq!(texts(psci, "method"), ["hvc"]);
        assert_eq!(cells(psci, "cpu_on"), [0xC400_0003]);
    });
}

#[test]
fn devices_are_the_board_s() {
    with_tree(&LINUX, |tree| {
        let gic = compatible(tree, "arm,gic-v3").unwrap();
        assert_eq!(cells(gic, "#interrupt-cells"), [3]);
        assert_eq!(cells(gic, "reg"), [0, 0x0800_0000, 0, 0x1_0000, 0, 0x080a_0000, 0, 4 * 0x2_0000]);
        assert!(gic.property("interrupt-controller").is_some());
        assert_eq!(cells(tree.root(), "interrupt-parent"), cells(gic, "phandle"));

        let timer = tree.find_node("/timer").unwrap();
        assert_eq!(texts(timer, "compatible"), ["arm,armv8-timer", "arm,armv7-timer"]);
        assert_eq!(cells(timer, "interrupts"), [1, 13, 4, 1, 14, 4, 1, 11, 4, 1, 10, 4]);
        assert!(timer.property("always-on").is_some());

        for (alias, address, spi) in [("serial0", 0x0900_0000, 1), ("serial1", 0x0904_0000, 8)] {
            let path = format!("/pl011@{address:x}");
            assert_eq!(texts(tree.find_node("/aliases").unwrap(), alias), [&*path]);
            let uart = tree.find_node(&path).unwrap();
            assert_eq!(texts(uart, "compatible"), ["arm,pl011", "arm,primecell"]);
            assert_eq!(cells(uart, "reg"), [0, address, 0, 0x1000]);
            assert_eq!(cells(uart, "interrupts"), [0, spi, 4]);
            assert_eq!(texts(uart, "clock-names"), ["uartclk", "apb_pclk"]);
            let clock = tree.find_node("/apb-pclk").unwrap();
            assert_eq!(cells(uart, "clocks")[0], cells(clock, "phandle")[0]);
            assert_eq!(cells(clock, "clock-frequency"), [24_000_000]);
            assert_eq!(cells(clock, "#clock-cells"), [0]);
        }
    });
}

#[test]
fn without_a_board_there_are_no_devices() {
    let memory = Memory { base: 0x4000_0000, size: 0x20_0000 };
    let component = DomainView { board: Board::None, contexts: 1, memory, cmdline: "", initramfs: None, region: None };
    with_tree(&component, |tree| {
        let names: Vec<_> = tree.root().children().map(|node| node.name()).collect();
        assert_eq!(names, ["chosen", "memory@40000000", "cpus", "psci"]);
        let cpus: Vec<_> = tree.find_node("/cpus").unwrap().children().map(|node| node.name()).collect();
        assert_eq!(cpus, ["cpu@0"]);
        assert!(tree.find_node("/cpus/cpu@0").unwrap().property("cpu-idle-states").is_none());
        assert!(tree.root().property("interrupt-parent").is_none());
    });
}

#[test]
fn the_largest_tree_fits_where_it_is_said_to_fit() {
    let cmdline = "x".repeat(COMMAND_LINE_MAX);
    let largest = DomainView { contexts: MAX_CONTEXTS, cmdline: &cmdline, ..LINUX };
    let length = blob(&largest).len();
    assert!(length > MAX_BYTES * 3 / 4, "{length}");
    assert_eq!(build(&largest, &mut vec![0; length - 1]), Err(TooSmall));
}

#[test]
fn members_of_a_group_have_a_watchdog_and_the_region() {
    with_tree(&DomainView { region: Some(0x20_0000), ..LINUX }, |tree| {
        assert_eq!(regions(compatible(tree, "pmem-region").unwrap()), [(REGION_BASE, 0x20_0000)]);
        let frames = regions(compatible(tree, "arm,sbsa-gwdt").unwrap());
        assert_eq!(frames.map(|(start, _)| start), [0x090c_0000, 0x090b_0000]);
    });
    with_tree(&DomainView { region: Some(0), board: Board::None, ..LINUX }, |tree| {
        assert!(["pmem-region", "arm,sbsa-gwdt"].iter().all(|kind| compatible(tree, kind).is_none()));
    });
}
