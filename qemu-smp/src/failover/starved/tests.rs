use std::process::{Command, Stdio};

use super::*;

#[test]
fn times_are_read() {
    assert_eq!(Times::parse("123 45 6\n"), Some(Times { ran: 123, waited: 45 }));
    assert_eq!(Times::parse("123"), None);
    assert_eq!(Times::parse(""), None);
}

#[test]
fn a_process_that_shares_its_core_gets_a_part_of_it() {
    let mut busy = Command::new("sh").args(["-c", "while :; do :; done"]).stdin(Stdio::null()).spawn().unwrap();
    let mut starved = Starved::begin(busy.id(), 3).unwrap();
    thread::sleep(Duration::from_millis(300));
    starved.begin_count();
    // The kernel counts a wait when it is over, which other load may put off.
    let counted = |share: Share| share.elapsed_ms >= 600 && share.ran_ms + share.waited_ms >= 300;
    let until = Instant::now() + Duration::from_secs(20);
    while !starved.share().is_some_and(counted) && Instant::now() < until {
        thread::sleep(LOOK);
        starved.look();
    }
    busy.kill().unwrap();
    busy.wait().unwrap();
    // Nobody says more about it; what was seen stays.
    starved.look_now();
    let share = starved.share().unwrap();
    assert!(counted(share), "{share:?}");
    // A quarter, if nothing else runs there; less on a host that has more to do.
    assert!(share.of_core() < 0.5 && share.of_wanted() < 0.5, "{share:?}");
}
