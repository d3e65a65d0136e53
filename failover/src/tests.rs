use super::*;
use domains::manifest::{Board, CoreCounts, ImageFormat, Memory};
use domains::protocol::ExpectedEnd;

fn domain(on_fault: Action, on_reset: Action, restarts_max: u32) -> DomainSpec<'static> {
    DomainSpec {
        name: "one",
        board: Board::None,
        image: "image",
        format: ImageFormat::Elf,
        load_offset: None,
        initramfs: None,
        cmdline: "",
        memory: Memory { base: 0x4000_0000, size: 0x20_0000 },
        cores: CoreCounts { min: 1, start: 1, max: 1 },
        deadline_ms: 2000,
        takes_idle: false,
        manages_cores: false,
        priority: 100,
        on_fault,
        on_reset,
        restarts_max,
        end: ExpectedEnd::Any,
    }
}

#[test]
fn only_what_the_manifest_says_restarts() {
    let all = EndKind::ALL;
    let restarts = |domain: DomainSpec<'_>| -> Vec<_> {
        all.iter().copied().filter(|kind| after(&domain, *kind, 1) == Action::Restart).collect()
    };
    assert_eq!(restarts(domain(Action::Stop, Action::Stop, 9)), []);
    assert_eq!(restarts(domain(Action::Restart, Action::Stop, 9)), [EndKind::Fault, EndKind::Hung]);
    assert_eq!(restarts(domain(Action::Stop, Action::Restart, 9)), [EndKind::Reset]);
}

#[test]
fn no_crash_loop() {
    let domain = domain(Action::Restart, Action::Restart, 50);
    assert_eq!((1..).take_while(|boots| after(&domain, EndKind::Fault, *boots) == Action::Restart).count(), 50);
    assert_eq!(after(&self::domain(Action::Restart, Action::Restart, 0), EndKind::Reset, 1), Action::Stop);
}
