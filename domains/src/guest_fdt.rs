//! The device tree that a guest is started with: what QEMU's `virt` board would say about that
//! part of it which the domain was granted.

use crate::fdt_writer::{FdtWriter, TooSmall};
use crate::manifest::{Board, Memory};
use crate::{psci, watchdog};
use core::ops::Range;

#[cfg(test)]
mod tests;

/// The most bytes a tree takes: 123 CPUs and the longest command line.
pub const MAX_BYTES: usize = 0x5000;

const PHANDLE_GIC: u32 = 0x8000;
const PHANDLE_CLOCK: u32 = 0x8001;
const PHANDLE_STANDBY: u32 = 0x8002;

/// Interrupt specifiers of the GIC binding (Linux, `arm,gic-v3.yaml`): kind, number, trigger.
const SPI: u32 = 0;
const PPI: u32 = 1;
const LEVEL_HIGH: u32 = 4;

const REDISTRIBUTOR_BYTES: u32 = 0x2_0000;

/// Where the region of a group begins; nothing of the board is there.
pub const REGION_BASE: u64 = 0x50_0000_0000;

/// What a domain was granted, as its tree shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainView<'a> {
    /// Whether it has the devices of the board.
    pub board: Board,
    /// The number of its contexts, at most [`crate::manifest::MAX_CONTEXTS`].
    pub contexts: u32,
    /// Its memory.
    pub memory: Memory,
    /// Its command line.
    pub cmdline: &'a str,
    /// Where in its memory the initial file system lies.
    pub initramfs: Option<Range<u64>>,
    /// It is in a group whose region has so many bytes: it has a watchdog.
    pub region: Option<u64>,
}

/// Writes the tree to the start of `out`; the number of bytes it takes. [`MAX_BYTES`] are enough.
///
/// Without a board there are no devices, and no timer node, since there is no interrupt controller
/// to refer to: the timers are there nevertheless, with the board's interrupt numbers.
pub fn build(domain: &DomainView<'_>, out: &mut [u8]) -> Result<usize, TooSmall> {
    let mut tree = FdtWriter::new(out);
    tree.node(format_args!(""), |root| {
        let kind = match domain.board {
            Board::Virt => "linux,dummy-virt",
            Board::None => "corral,component",
        };
        root.texts("model", &[kind]);
        root.texts("compatible", &[kind]);
        root.cells("#address-cells", &[2]);
        root.cells("#size-cells", &[2]);
        if domain.board == Board::Virt {
            root.cells("interrupt-parent", &[PHANDLE_GIC]);
        }
        chosen(root, domain);
        root.node(format_args!("memory@{:x}", domain.memory.base), |memory| {
            memory.texts("device_type", &["memory"]);
            memory.cells("reg", [domain.memory.base, domain.memory.size].map(halves).as_flattened());
        });
        cpus(root, domain);
        power(root);
        if domain.board == Board::Virt {
            devices(root, domain.contexts);
        }
        if let Some(bytes) = domain.region {
            group(root, domain.board, bytes);
        }
    });
    tree.finish()
}

fn chosen(root: &mut FdtWriter<'_>, domain: &DomainView<'_>) {
    root.node(format_args!("chosen"), |chosen| {
        chosen.texts("bootargs", &[domain.cmdline]);
        if domain.board == Board::Virt {
            chosen.texts("stdout-path", &["/pl011@9000000"]);
        }
        if let Some(initramfs) = &domain.initramfs {
            chosen.cells("linux,initrd-start", &halves(initramfs.start));
            chosen.cells("linux,initrd-end", &halves(initramfs.end));
        }
    });
}

fn cpus(root: &mut FdtWriter<'_>, domain: &DomainView<'_>) {
    root.node(format_args!("cpus"), |cpus| {
        cpus.cells("#address-cells", &[1]);
        cpus.cells("#size-cells", &[0]);
        if domain.board == Board::Virt {
            idle_states(cpus);
        }
        for context in 0..domain.contexts {
            // Contexts stay below 4096, so that Aff2 and Aff3 are 0 and one cell is enough.
            let affinity = psci::affinity_of(context as usize) as u32;
            cpus.node(format_args!("cpu@{affinity:x}"), |cpu| {
                cpu.texts("device_type", &["cpu"]);
                cpu.texts("compatible", &["arm,armv8"]);
                cpu.cells("reg", &[affinity]);
                cpu.texts("enable-method", &["psci"]);
                if domain.board == Board::Virt {
                    cpu.cells("cpu-idle-states", &[PHANDLE_STANDBY]);
                }
            });
        }
    });
}

/// The one state below WFI (Linux, `idle-states.yaml`): standby by CPU_SUSPEND, which tells the
/// kernel that the guest expects to be idle for a while.
fn idle_states(cpus: &mut FdtWriter<'_>) {
    cpus.node(format_args!("idle-states"), |states| {
        states.texts("entry-method", &["psci"]);
        states.node(format_args!("standby"), |state| {
            state.texts("compatible", &["arm,idle-state"]);
            state.cells("arm,psci-suspend-param", &[0]);
            state.cells("entry-latency-us", &[10]);
            state.cells("exit-latency-us", &[20]);
            state.cells("min-residency-us", &[500]);
            state.cells("phandle", &[PHANDLE_STANDBY]);
        });
    });
}

fn power(root: &mut FdtWriter<'_>) {
    root.node(format_args!("psci"), |node| {
        node.texts("compatible", &["arm,psci-1.0", "arm,psci-0.2", "arm,psci"]);
        node.texts("method", &["hvc"]);
        // The binding wants the numbers with "arm,psci".
        node.cells("cpu_suspend", &[psci::PSCI_CPU_SUSPEND_64]);
        node.cells("cpu_off", &[psci::PSCI_CPU_OFF]);
        node.cells("cpu_on", &[psci::PSCI_CPU_ON_64]);
    });
}

fn devices(root: &mut FdtWriter<'_>, contexts: u32) {
    root.node(format_args!("aliases"), |aliases| {
        aliases.texts("serial0", &["/pl011@9000000"]);
        aliases.texts("serial1", &["/pl011@9040000"]);
    });
    root.node(format_args!("intc@8000000"), |gic| {
        gic.texts("compatible", &["arm,gic-v3"]);
        gic.cells("interrupt-controller", &[]);
        gic.cells("#interrupt-cells", &[3]);
        gic.cells("#address-cells", &[2]);
        gic.cells("#size-cells", &[2]);
        gic.cells("ranges", &[]);
        gic.cells("#redistributor-regions", &[1]);
        let redistributors = contexts.saturating_mul(REDISTRIBUTOR_BYTES);
        gic.cells("reg", &[0, 0x0800_0000, 0, 0x1_0000, 0, 0x080a_0000, 0, redistributors]);
        gic.cells("phandle", &[PHANDLE_GIC]);
    });
    root.node(format_args!("timer"), |timer| {
        timer.texts("compatible", &["arm,armv8-timer", "arm,armv7-timer"]);
        timer.cells("always-on", &[]);
        // Secure, physical, virtual, hypervisor.
        timer.cells("interrupts", [13, 14, 11, 10].map(|number| [PPI, number, LEVEL_HIGH]).as_flattened());
    });
    root.node(format_args!("apb-pclk"), |clock| {
        clock.texts("compatible", &["fixed-clock"]);
        clock.cells("#clock-cells", &[0]);
        clock.cells("clock-frequency", &[24_000_000]);
        clock.texts("clock-output-names", &["clk24mhz"]);
        clock.cells("phandle", &[PHANDLE_CLOCK]);
    });
    // The console, and requests about cores.
    for (address, spi) in [(0x0900_0000, 1), (0x0904_0000, 8)] {
        root.node(format_args!("pl011@{address:x}"), |uart| {
            uart.texts("compatible", &["arm,pl011", "arm,primecell"]);
            uart.cells("reg", &[0, address, 0, 0x1000]);
            uart.cells("interrupts", &[SPI, spi, LEVEL_HIGH]);
            uart.cells("clocks", &[PHANDLE_CLOCK, PHANDLE_CLOCK]);
            uart.texts("clock-names", &["uartclk", "apb_pclk"]);
        });
    }
}

/// What the members of a group have.
fn group(root: &mut FdtWriter<'_>, board: Board, region: u64) {
    if region > 0 {
        root.node(format_args!("pmem@{REGION_BASE:x}"), |node| {
            node.texts("compatible", &["pmem-region"]);
            node.cells("reg", [REGION_BASE, region].map(halves).as_flattened());
        });
    }
    if board == Board::Virt {
        root.node(format_args!("watchdog@{:x}", watchdog::CONTROL), |node| {
            node.texts("compatible", &["arm,sbsa-gwdt"]);
            let [control, refresh, frame] = [watchdog::CONTROL, watchdog::REFRESH, watchdog::FRAME].map(halves);
            node.cells("reg", [control, frame, refresh, frame].as_flattened());
            node.cells("interrupts", &[SPI, 9, LEVEL_HIGH]);
        });
    }
}

fn halves(value: u64) -> [u32; 2] {
    [(value >> u32::BITS) as u32, value as u32]
}
