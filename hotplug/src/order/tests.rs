use super::*;

fn order(text: &str) -> Option<Order<'_>> {
    Line::parse(text).and_then(|line| line.order)
}

fn cores(text: &str) -> CoreSet {
    CoreSet::parse(text).unwrap()
}

#[test]
fn every_order_is_read() {
    let at_once = Patience { within: Some(0), give_up: false };
    let moved = |from, to, patience| Order::Move(Move { cores: cores("3"), from, to, patience });
    let linux = Party::Domain("linux");
    let orders = [
        ("help", Order::Help),
        ("cores", Order::Cores),
        ("domains", Order::Domains),
        ("move 3 linux rt", moved(Some(linux), Party::Domain("rt"), Patience::default())),
        ("move 3 pool linux", moved(Some(Party::Pool), linux, Patience::default())),
        (
            "move 3 linux off within 500 or give-up",
            moved(Some(linux), Party::Off, Patience { within: Some(500), give_up: true }),
        ),
        ("fold 3", moved(None, Party::Pool, at_once)),
        ("off 3 within 0", moved(None, Party::Off, at_once)),
        ("unfold linux", Order::Unfold("linux")),
        (
            "on 2-5,7",
            Order::Move(Move {
                cores: cores("2-5,7"),
                from: Some(Party::Off),
                to: Party::Pool,
                patience: Patience::default(),
            }),
        ),
        ("set linux 2", Order::Set { domain: "linux", count: 2, patience: Patience::default() }),
        ("cancel 3", Order::Cancel(cores("3"))),
        ("stop rt", Order::Stop("rt")),
        ("governor on", Order::Governor(true)),
        ("governor off", Order::Governor(false)),
    ];
    for (text, expected) in orders {
        assert_eq!(order(text), Some(expected), "{text}");
        assert_eq!(order(&format!("{text} more")), None, "{text} more");
    }
}

#[test]
fn a_line_has_a_number_and_may_be_dry() {
    let line = |id, dry| Some(Line { id, dry, order: Some(Order::Cores) });
    assert_eq!(Line::parse("  cores\t"), line(0, false));
    assert_eq!(Line::parse("#65535 dry cores"), line(65535, true));
    assert_eq!(Line::parse("dry cores"), line(0, true));
    assert_eq!(Line::parse(" "), None);
}

#[test]
fn what_cannot_be_read_is_no_order() {
    let lines = [
        "#",
        "#1",
        "#x cores",
        "#65536 cores",
        "dry",
        "dry dry cores",
        "move",
        "move 3",
        "move 3 linux",
        "move 3 off rt",
        "move 5-3 linux rt",
        "move 3 linux rt within",
        "move 3 linux rt within x",
        "move 3 linux rt or",
        "set linux",
        "set linux -1",
        "set linux many",
        "fold",
        "on x",
        "governor",
        "governor maybe",
        "reboot",
        "MOVE 3 a b",
    ];
    for text in lines {
        assert_eq!(order(text), None, "{text}");
    }
}
