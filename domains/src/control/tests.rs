use super::*;
use crate::mmio::{AccessKind, AccessSize};

const DATA: u64 = 0;
const FLAGS: u64 = 0x18;
const LINE_CONTROL: u64 = 0x2c;
const CONTROL: u64 = 0x30;

fn write(port: &mut Control, offset: u64, value: u64) -> Option<Said> {
    port.access(&Access { offset, size: AccessSize::Word, kind: AccessKind::Write(value) }).1
}

fn read(port: &mut Control, offset: u64) -> u32 {
    port.access(&Access { offset, size: AccessSize::Word, kind: AccessKind::Read }).0
}

/// A port whose guest has switched the UART on.
fn port() -> Control {
    let mut port = Control::default();
    write(&mut port, LINE_CONTROL, 0x70);
    write(&mut port, CONTROL, 0x301);
    port
}

fn say(port: &mut Control, text: &str) -> Vec<Said> {
    text.bytes().filter_map(|byte| write(port, DATA, byte.into())).collect()
}

fn hear(port: &mut Control) -> String {
    let mut text = String::new();
    while read(port, FLAGS) & 1 << 4 == 0 {
        text.push(char::from(read(port, DATA) as u8));
    }
    text
}

const fn offline(context: u16) -> Request {
    Request { wish: Wish::Offline, context }
}

const fn online(context: u16) -> Request {
    Request { wish: Wish::Online, context }
}

#[test]
fn requests_wait_until_the_guest_is_ready() {
    let mut port = port();
    port.ask(offline(3));
    assert_eq!(hear(&mut port), "");
    assert_eq!(say(&mut port, "ready\n"), [Said::Ready]);
    assert_eq!(hear(&mut port), "offline 3\n");
    port.ask(online(122));
    assert_eq!(hear(&mut port), "online 122\n");
}

#[test]
fn many_requests_go_through_a_small_fifo() {
    let mut port = port();
    say(&mut port, "ready\n");
    (0..123).for_each(|context| port.ask(offline(context)));
    let expected: String = (0..123).map(|context| format!("offline {context}\n")).collect();
    assert_eq!(hear(&mut port), expected);
    assert_eq!(port.take(), None);
}

#[test]
fn what_is_withdrawn_is_not_asked_and_the_newer_counts() {
    let mut port = port();
    port.ask(offline(1));
    port.ask(offline(2));
    port.ask(online(2));
    port.withdraw(1);
    assert_eq!((port.take(), port.take()), (Some(online(2)), None));
}

#[test]
fn answers_are_heard_and_noise_is_not() {
    let mut port = port();
    let answers = [(Answer::Done, offline(3)), (Answer::Busy, online(12)), (Answer::Refused, offline(0))];
    let said = say(&mut port, "ok offline 3\nbusy  online 12\r\nrefused offline 0\n");
    assert_eq!(said, answers.map(|(answer, request)| Said::Answer(answer, request)));
    let noise =
        ["", "ok", "ok offline", "ok offline x", "ok offline 3 4", "okay offline 3", "offline 3", "ok offline 99999"];
    for line in noise {
        assert_eq!(say(&mut port, &format!("{line}\n")), [], "{line:?}");
    }
    let long = format!("{}ok offline 3\nok offline 4\n", " ".repeat(60));
    assert_eq!(
        say(&mut port, &long),
        [Said::Answer(Answer::Done, offline(4))],
        "a line too long is skipped to its end"
    );
    assert_eq!(write(&mut port, DATA, 0xff), None);
    assert_eq!(say(&mut port, "ready\n"), []);
}

#[test]
fn a_guest_that_reads_nothing_costs_nothing() {
    let mut port = port();
    say(&mut port, "ready\n");
    for round in 0..1000 {
        port.ask(offline(round % 123));
        port.ask(online(round % 123));
    }
    assert_eq!(port.asked.map(u128::count_ones).iter().sum::<u32>(), 123);
}

#[test]
fn a_core_is_offered_to_each_context_once() {
    let mut port = port();
    let off = |context: u16| context != 1;
    for _ in 0..5 {
        port.offer(4, off);
    }
    let asked: Vec<_> = core::iter::from_fn(|| port.take()).collect();
    assert_eq!(asked, [online(0), online(2), online(3)]);
    port.offer(4, off);
    assert_eq!(port.take(), None, "it has heard of them");
    port.withdraw(2);
    port.offer(4, off);
    assert_eq!(port.take(), Some(online(2)), "which was on, and went off");
    port.forget_offers();
    port.offer(4, off);
    assert_eq!(port.take(), Some(online(0)));
}

#[test]
fn it_is_told_what_it_is_in_its_group() {
    let mut port = port();
    port.announce(Role::Standby, 1);
    say(&mut port, "ready\n");
    assert_eq!(hear(&mut port), "standby 1\n");
    port.ask(offline(3));
    port.announce(Role::Promoted, u32::MAX);
    assert_eq!(hear(&mut port), "offline 3\nprimary 4294967295\n");
}
