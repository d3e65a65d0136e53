use domains::DomainId;
use domains::ledger::Heir;

use super::moves::Moves;
use crate::trace::moves::{End, Kind, Latency, Move};

fn one(asked: Option<f64>, taken: Option<f64>, given: Option<f64>, end: End) -> Move {
    Move {
        core: 3,
        order: 7,
        kind: Kind::Asked,
        from: DomainId::new(0),
        to: Heir::Domain(DomainId::new(1).unwrap()),
        asked_us: asked,
        taken_us: taken,
        given_us: given,
        busy: 0,
        refused: false,
        deadline: false,
        end,
    }
}

#[test]
fn moves_are_counted_and_their_steps_measured() {
    let moves = [
        one(Some(100.0), Some(200.0), Some(250.0), End::Done),
        one(Some(1000.0), Some(1400.0), Some(1430.0), End::Done),
        one(Some(5000.0), Some(5200.0), None, End::Done),
        one(Some(6000.0), None, None, End::Cancelled),
        Move { deadline: true, ..one(Some(7000.0), None, None, End::Open) },
        Move { kind: Kind::Released, ..one(None, Some(1.0), Some(2.0), End::Done) },
        Move { kind: Kind::FromPool, ..one(None, None, Some(2.0), End::Done) },
    ];
    let summed = Moves::new(&moves, &["linux", "rt"]);
    assert_eq!((summed.done, summed.cancelled, summed.failed, summed.open), (3, 1, 0, 1));
    assert_eq!((summed.deadline_passed, summed.from_pool, summed.released), (1, 1, 1));
    let taken = Latency { count: 3, min_us: 100.0, median_us: 200.0, max_us: 400.0 };
    assert_eq!(summed.asked_to_taken, Some(taken));
    let given = Latency { count: 2, min_us: 30.0, median_us: 40.0, max_us: 50.0 };
    assert_eq!(summed.taken_to_given, Some(given));
    assert_eq!(summed.asked_to_given.unwrap().max_us, 430.0);
    let json = serde_json::to_value(&summed).unwrap();
    assert_eq!(json["list"][0]["from"], "linux");
    assert_eq!(json["list"][0]["to"], "rt");
    assert_eq!(json["list"][3]["end"], "cancelled");
    assert_eq!(json["asked_to_taken"]["median_us"], 200.0);
}
