use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use domains::DomainId;
use domains::ledger::{CoreState, Heir};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Color;
use smp::trace::Event;

use super::app::{App, Purpose};
use super::view::{self, Paint};
use crate::ctl::reply::Reply;
use crate::trace::tests::Memory;

fn domain(index: usize) -> DomainId {
    DomainId::new(index).unwrap()
}

/// A view of a machine with two domains.
struct Stand {
    memory: Memory,
    collector: crate::trace::Collector,
    app: App,
}

impl Stand {
    fn new(cores: u32) -> Self {
        let memory = Memory::new(cores);
        let names = ["linux", "rt"].map(str::to_owned);
        Self { collector: memory.collector(), memory, app: App::new("demo-1: 4 cores".to_owned(), &names, true) }
    }

    fn state(&mut self, time: u64, core: u64, state: CoreState) {
        self.memory.push(0, time, Event::CoreOwner, None, core, state.to_trace());
    }

    /// A look at the trace, and a sample.
    fn look(&mut self) {
        self.collector.poll();
        let (header, records) = self.collector.drain().unwrap();
        self.app.model.take(&header, &records);
        self.app.model.sample();
    }

    fn reply(&mut self, text: &str) {
        self.app.reply(&Reply::parse(text).unwrap());
    }

    fn screen(&self, width: u16, height: u16) -> Terminal<TestBackend> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| view::draw(frame, &self.app, Paint::Colours)).unwrap();
        terminal
    }

    fn text(&self, width: u16, height: u16) -> String {
        let terminal = self.screen(width, height);
        let buffer = terminal.backend().buffer();
        let row = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
        (0..height).map(|y| row(y).trim_end().to_owned() + "\n").collect()
    }

    fn type_in(&mut self, text: &str) -> Option<String> {
        let mut orders = text.chars().filter_map(|character| {
            let code = if character == '\n' { KeyCode::Enter } else { KeyCode::Char(character) };
            self.app.key(KeyEvent::new(code, KeyModifiers::NONE))
        });
        orders.next()
    }
}

/// The line of the screen that has this in it.
fn line<'a>(text: &'a str, part: &str) -> &'a str {
    text.lines().find(|line| line.contains(part)).unwrap_or_else(|| panic!("no {part} in\n{text}"))
}

#[test]
fn cores_have_a_row_with_their_states_over_time() {
    let mut stand = Stand::new(4);
    for core in 0..3 {
        stand.memory.push(0, 10, Event::CoreUp, None, core, 0);
    }
    stand.look();
    stand.state(20, 0, CoreState::Owned(domain(0)));
    stand.state(20, 1, CoreState::Owned(domain(0)));
    stand.state(20, 2, CoreState::Off { held: false });
    stand.look();
    stand.state(30, 1, CoreState::Asked(domain(0), Heir::Domain(domain(1))));
    stand.state(30, 2, CoreState::Waking(Heir::Pool));
    stand.look();
    stand.state(40, 1, CoreState::Owned(domain(1)));
    stand.state(40, 2, CoreState::Failed);
    stand.look();
    let text = stand.text(80, 30);
    assert!(line(&text, "   0 ").contains("a linux                   .aaa"), "{text}");
    assert!(line(&text, "   1 ").contains("b rt                      .a?b"), "{text}");
    assert!(line(&text, "   2 ").contains("! failed                  ._^!"), "{text}");
    // Nobody has said anything of the last one.
    assert!(line(&text, "   3 ").contains("   3   ?"), "{text}");
    // By colour, too: row 0 is the title, row 1 the frame.
    let terminal = stand.screen(80, 30);
    let cell = &terminal.backend().buffer()[(6, 2)];
    assert_eq!((cell.symbol(), cell.bg), ("a", Color::Cyan));
}

#[test]
fn a_state_between_two_samples_is_not_missed() {
    let mut stand = Stand::new(1);
    stand.state(10, 0, CoreState::Owned(domain(0)));
    stand.look();
    stand.state(20, 0, CoreState::Asked(domain(0), Heir::Pool));
    stand.state(21, 0, CoreState::Releasing(domain(0), Heir::Pool));
    stand.state(22, 0, CoreState::Idle);
    stand.look();
    stand.look();
    assert!(stand.text(80, 30).contains("a<."), "{}", stand.text(80, 30));
}

#[test]
fn domains_have_cores_grant_and_load() {
    let mut stand = Stand::new(4);
    stand.state(10, 0, CoreState::Owned(domain(0)));
    stand.state(10, 1, CoreState::Asked(domain(0), Heir::Off));
    stand.memory.push(0, 20, Event::Load, Some(0), 505, 2);
    stand.look();
    stand.app.sent("domains", Purpose::View);
    stand.reply("id=1 sent");
    stand.reply("id=1 domain=linux phase=running cores=2 granted=3 min=1 max=4 contexts-on=2");
    let text = stand.text(80, 30);
    let rows: Vec<&str> = text.lines().filter(|line| line.contains("running")).collect();
    assert_eq!(rows.len(), 1, "{text}");
    let words: Vec<&str> = rows[0].split_whitespace().collect();
    assert_eq!(&words[..7], ["│a", "linux", "running", "2", "3", "(1-4)", "2"], "{text}");
    assert!(rows[0].contains("50.5%") && rows[0].contains(&"█".repeat(10)) && !rows[0].contains(&"█".repeat(11)));
}

#[test]
fn events_are_told_in_words() {
    let mut stand = Stand::new(4);
    stand.state(999_999, 3, CoreState::Asked(domain(0), Heir::Domain(domain(1))));
    stand.memory.push(0, 1_000_000, Event::CoreMove, None, 3 | 7 << 16, 1);
    stand.state(1_000_010, 3, CoreState::Owned(domain(1)));
    stand.memory.push(0, 1_000_020, Event::CoreMove, None, 3 | 7 << 16, 6);
    stand.memory.push(0, 1_000_100, Event::ContextMove, Some(0), 2 | 3 << 16, 1);
    stand.memory.push(0, 1_000_200, Event::Governor, Some(1), 3, 1 | 1 << 8 | 912 << 16);
    stand.memory.push(0, 1_000_300, Event::DomainEnd, Some(1), 3, 0);
    stand.look();
    let text = stand.text(100, 40);
    for part in [
        "1.000000  core 3: asked (order 7), linux for rt",
        "1.000020  core 3: given (order 7), rt",
        "1.000100  linux: context 2: core 3 to core 1",
        "1.000200  rt: governor: give core 3: high-load, load 91.2%",
        "1.000300  rt: ended: exit",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
}

#[test]
fn what_the_kernel_says_fills_in_what_the_rings_have_lost() {
    let mut stand = Stand::new(4);
    stand.state(10, 0, CoreState::Idle);
    stand.state(10, 1, CoreState::Idle);
    stand.state(10, 2, CoreState::Idle);
    stand.look();
    stand.app.model.forget();
    stand.app.model.asking();
    stand.state(20, 1, CoreState::Owned(domain(1)));
    stand.look();
    stand.app.sent("cores", Purpose::View);
    stand.reply("id=1 sent");
    assert!(stand.app.waits());
    stand.reply("id=1 core=0 state=asked domain=linux heir=rt contexts=1");
    stand.reply("id=1 core=1 state=idle domain=- heir=- contexts=0");
    stand.reply("id=1 core=3 state=off domain=- heir=held contexts=0");
    stand.reply("id=1 core=9 state=off domain=- heir=- contexts=0");
    stand.reply("id=1 end");
    assert!(!stand.app.waits());
    let states: Vec<_> = stand.app.model.cores.iter().map(|core| core.state).collect();
    let asked = CoreState::Asked(domain(0), Heir::Domain(domain(1)));
    let expected = [Some(asked), Some(CoreState::Owned(domain(1))), None, Some(CoreState::Off { held: true })];
    assert_eq!(states, expected);
    assert!(stand.app.said.is_empty(), "nobody asked: {:?}", stand.app.said);
}

#[test]
fn an_order_is_typed_sent_and_answered() {
    let mut stand = Stand::new(4);
    stand.look();
    assert_eq!(stand.type_in(":move 3 linux q"), None);
    assert!(!stand.app.quits, "typed, not pressed");
    assert!(stand.text(80, 24).ends_with(":move 3 linux q\n"));
    stand.app.key(KeyEvent::new(KeyCode::Backspace, KeyModifiers::NONE));
    let order = stand.type_in("rt\n").unwrap();
    assert_eq!(order, "move 3 linux rt");
    stand.app.sent(&order, Purpose::User);
    stand.reply("id=4 sent");
    stand.reply("id=4 refused core=3 reason=below-min (linux keeps 1)");
    let text = stand.text(80, 24);
    assert!(text.contains("> move 3 linux rt\ncore 3: refused: below-min (linux keeps 1)\n"), "{text}");
    assert!(stand.app.model.is_stale);
    stand.app.sent("x", Purpose::User);
    stand.reply("id=0 refused reason=syntax (orders are printable ASCII)");
    stand.app.sent("cores", Purpose::View);
    stand.reply("id=5 sent");
    stand.reply("id=5 end");
    assert!(!stand.app.waits(), "the refusal took the turn of its own order");
}

#[test]
fn keys_leave_scroll_and_cannot_order_what_may_not_be() {
    let mut stand = Stand::new(64);
    stand.look();
    assert!(line(&stand.text(80, 24), "cores 0 to 9 of 64").starts_with('┌'));
    stand.app.key(KeyEvent::new(KeyCode::PageDown, KeyModifiers::NONE));
    assert!(stand.text(80, 24).contains("cores 16 to 25 of 64"));
    stand.app.key(KeyEvent::new(KeyCode::End, KeyModifiers::NONE));
    assert!(stand.text(80, 24).contains("cores 54 to 63 of 64"));
    stand.app.takes_orders = false;
    stand.type_in(":");
    assert_eq!(stand.app.typing, None);
    stand.app.takes_orders = true;
    stand.type_in(":q");
    stand.app.key(KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE));
    assert_eq!((stand.app.typing.clone(), stand.app.quits), (None, false));
    stand.type_in("q");
    assert!(stand.app.quits);
    let mut other = Stand::new(1);
    other.type_in(":x");
    other.app.key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL));
    assert!(other.app.quits);
}

#[test]
fn any_size_can_be_drawn() {
    let mut stand = Stand::new(3);
    stand.state(10, 0, CoreState::Idle);
    stand.look();
    stand.type_in(&format!(":{}", "x".repeat(300)));
    for width in [1, 2, 10, 40, 300] {
        for height in [1, 2, 5, 10, 100] {
            stand.screen(width, height);
        }
    }
}
