use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use clap::Parser;

use super::reply::{End, Pending, Reply};
use super::server::Control;
use super::*;
use crate::cli::{Cli, Command};
use crate::machine::RunFolder;

fn reply(text: &str) -> Reply {
    Reply::parse(text).unwrap()
}

/// How an order ends with these answers.
fn end(texts: &[&str]) -> Option<End> {
    let mut pending = Pending::default();
    let ends: Vec<Option<End>> = texts.iter().map(|text| pending.take(&reply(text))).collect();
    let (last, earlier) = ends.split_last()?;
    assert!(earlier.iter().all(Option::is_none), "{texts:?} is over too early");
    *last
}

/// A session whose kernel answers each order by these lines, `ID` being its number.
struct Session {
    /// Goes before what it is in.
    folder: RunFolder,
    runs: tempfile::TempDir,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<String>>>,
}

impl Session {
    fn new(answer: impl Fn(&str) -> Vec<String> + Send + 'static) -> Self {
        let runs = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(runs.path(), "demo", 4096).unwrap();
        let mut control = Control::listen(folder.path()).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut orders = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                let typed = String::from_utf8(control.poll()).unwrap();
                for line in typed.lines() {
                    let (id, order) = line.strip_prefix('#').unwrap().split_once(' ').unwrap();
                    for text in answer(order) {
                        control.kernel_line(&format!("[    1.000000  0] order: id={id} {text}"));
                    }
                    orders.push(line.to_owned());
                }
                thread::sleep(Duration::from_millis(1));
            }
            orders
        });
        Self { runs, folder, stop, thread: Some(thread) }
    }

    fn run(&self) -> LiveRun {
        LiveRun::find(self.runs.path(), None).unwrap()
    }

    fn give(&self, order: &str) -> Answered {
        let mut client = Client::connect(&self.run()).unwrap();
        give(&mut client, order, Duration::from_secs(5), |_| {}).unwrap()
    }

    /// The orders that the kernel got.
    fn finish(mut self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }
}

fn lines(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn answers_are_read_word_by_word() {
    let answer = reply("id=7 refused core=3 reason=below-min (linux keeps 1 (its minimum))");
    assert_eq!((answer.id, answer.says(), answer.number("core")), (7, Some("refused"), Some(3)));
    assert_eq!(answer.value("reason"), Some("below-min"));
    assert_eq!(answer.text.as_deref(), Some("linux keeps 1 (its minimum)"));
    let row = reply("id=7 core=3 state=asked domain=linux heir=rt contexts=1 idle-permille=12");
    assert_eq!((row.says(), row.value("heir"), row.number("idle-permille")), (None, Some("rt"), Some(12)));
    for text in ["", "id=", "id=70000 end", "core=3 done", "7 end"] {
        assert_eq!(Reply::parse(text), None, "{text}");
    }
}

#[test]
fn an_order_is_over_with_its_last_core() {
    assert_eq!(end(&["id=1 refused reason=syntax (what?)"]), Some(End::Refused));
    assert_eq!(end(&["id=1 would cores=2"]), Some(End::Would));
    assert_eq!(end(&["id=1 core=0 state=idle", "id=1 end"]), Some(End::Done));
    assert_eq!(end(&["id=1 accepted cores=0"]), Some(End::Done));
    let two =
        ["id=1 accepted cores=2", "id=1 core=3 asked context=3", "id=1 core=3 answer=ok", "id=1 core=3 done to=rt"];
    assert_eq!(end(&two), None);
    assert_eq!(end(&[&two[..], &["id=1 core=4 done to=rt folded=1"]].concat()), Some(End::Done));
    assert_eq!(end(&[&two[..], &["id=1 core=4 failed reason=cancelled"]].concat()), Some(End::Failed));
    // One core twice is one core.
    assert_eq!(end(&[&two[..], &["id=1 core=3 done to=rt"]].concat()), None);
}

#[test]
fn the_command_line_makes_orders() {
    for (words, order) in [
        (&["cores"][..], "cores"),
        (&["domains"], "domains"),
        (&["move", "2-5,7", "linux", "rt"], "move 2-5,7 linux rt"),
        (&["move", "3", "linux", "off", "--within", "500"], "move 3 linux off within 500"),
        (&["move", "3", "a", "pool", "--or-give-up", "--within", "2s"], "move 3 a pool within 2000 or give-up"),
        (&["fold", "3"], "fold 3"),
        (&["unfold", "linux"], "unfold linux"),
        (&["off", "3", "--within", "0"], "off 3 within 0"),
        (&["on", "3"], "on 3"),
        (&["set", "linux", "2"], "set linux 2"),
        (&["cancel", "3"], "cancel 3"),
        (&["stop", "linux"], "stop linux"),
        (&["governor", "off"], "governor off"),
        (&["fail", "linux", "wild-store"], "fail linux wild-store"),
        (&["fail", "linux", "hang", "--on-promotion"], "fail linux hang on promotion"),
        (&["failover", "counter"], "failover counter"),
        (&["groups"], "groups"),
    ] {
        let words = [&["corral", "ctl"], words].concat();
        let Command::Ctl(args) = Cli::try_parse_from(&words).unwrap().command else { panic!("{words:?}") };
        assert_eq!(args.order.to_string(), order);
    }
    for words in [
        &["move", "3-", "linux", "rt"][..],
        &["move", "3", "linux"],
        &["fold", "9999"],
        &["stop", "li nux"],
        &["stop", "linux\n#1"],
        &["set", "linux", "two"],
        &["governor", "sometimes"],
        &["fail", "linux", "somehow"],
        &["fail", "linux"],
        &["failover"],
        &["groups", "counter"],
        &["off", "3", "--within", "soon"],
        &[],
    ] {
        let words = [&["corral", "ctl"], words].concat();
        assert!(Cli::try_parse_from(&words).is_err(), "{words:?}");
    }
}

#[test]
fn an_order_goes_to_the_kernel_and_its_answers_come_back() {
    let session = Session::new(|order| match order {
        "cores" => lines(&["core=0 state=owned domain=linux contexts=1", "core=1 state=idle contexts=0", "end"]),
        _ => lines(&["accepted cores=1", "core=3 asked context=3", "core=3 done to=rt folded=1"]),
    });
    let answered = session.give("move 3 linux rt");
    assert_eq!((answered.id, answered.end), (Some(1), Some(End::Done)));
    let texts: Vec<String> = answered.replies.iter().filter_map(show::line).collect();
    let done = "core 3: done, now rt, 1 context goes on on other cores";
    assert_eq!(texts, ["accepted for 1 core", "core 3: asked for context 3", done]);
    let answered = session.give("cores");
    let table = ["CORE  STATE  DOMAIN  CONTEXTS", "0     owned  linux   1", "1     idle   -       0"];
    assert_eq!(show::table(&answered.replies), table);
    let json = show::json(&answered);
    assert_eq!((&json["result"], &json["replies"][0]["core"]), (&"done".into(), &0.into()));
    assert_eq!(json["replies"].as_array().unwrap().len(), 2);
    assert_eq!(session.finish(), ["#1 move 3 linux rt", "#2 cores"]);
}

#[test]
fn two_clients_get_their_own_answers() {
    let session = Session::new(|order| lines(&[order, "end"]));
    thread::scope(|threads| {
        for name in ["one", "two", "three"] {
            let session = &session;
            threads.spawn(move || {
                for _ in 0..20 {
                    let answered = session.give(name);
                    let says: Vec<_> = answered.replies.iter().map(|reply| reply.says().unwrap()).collect();
                    assert_eq!(says, ["sent", name, "end"]);
                }
            });
        }
    });
    let mut ids: Vec<String> = session.finish();
    ids.iter_mut().for_each(|line| line.truncate(line.find(' ').unwrap()));
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 60, "a number was given twice");
}

#[test]
fn a_kernel_that_does_not_answer_is_not_waited_for() {
    let session = Session::new(|order| if order == "move 3 a b" { lines(&["accepted cores=2"]) } else { Vec::new() });
    for (order, why) in [("cores", "the kernel did not answer"), ("move 3 a b", "0 of 2 cores are over")] {
        let limit = Duration::from_millis(50);
        let mut client = Client::connect(&session.run()).unwrap();
        let answered = give(&mut client, order, limit, |_| {}).unwrap();
        assert_eq!(answered.end, None);
        let failure = late(order, limit, &answered.replies);
        assert_eq!(failure.code, Code::TimedOut);
        assert!(failure.to_string().contains(why), "{failure}");
    }
}

#[test]
fn an_order_ends_with_the_run() {
    let session = Session::new(|_| lines(&["accepted cores=1"]));
    let mut client = Client::connect(&session.run()).unwrap();
    client.send("move 3 a b").unwrap();
    while client.replies(POLL).unwrap().is_empty() {}
    let run = session.run();
    session.finish();
    let failure = loop {
        if let Err(failure) = client.replies(POLL) {
            break failure;
        }
    };
    assert_eq!(failure.code, Code::Failed);
    assert_eq!(Client::connect(&run).unwrap_err().code, Code::Setup);
}

#[test]
fn only_the_user_may_give_orders() {
    let session = Session::new(|_| Vec::new());
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(session.folder.path()), 0o700);
    assert_eq!(mode(&socket::path(session.folder.path())), 0o600);
    session.finish();
}

#[test]
fn a_folder_with_a_long_path_has_a_socket_too() {
    let top = tempfile::tempdir().unwrap();
    let folder = top.path().join("a".repeat(120));
    std::fs::create_dir(&folder).unwrap();
    let mut control = Control::listen(&folder).unwrap();
    let run = LiveRun { name: "long".to_owned(), path: folder };
    let mut client = Client::connect(&run).unwrap();
    client.send("cores").unwrap();
    assert_eq!(control.poll(), b"#1 cores\n");
    assert_eq!(client.replies(POLL).unwrap()[0].says(), Some("sent"));
    control.kernel_line("[    1.000000  0] order: id=1 end");
    control.poll();
    assert_eq!(client.replies(POLL).unwrap()[0].says(), Some("end"));
}

/// A listener with a raw connection to it.
fn connected() -> (tempfile::TempDir, Control, UnixStream) {
    let folder = tempfile::tempdir().unwrap();
    let control = Control::listen(folder.path()).unwrap();
    let stream = connect(folder.path());
    (folder, control, stream)
}

fn connect(folder: &Path) -> UnixStream {
    let stream = UnixStream::connect(socket::path(folder)).unwrap();
    stream.set_nonblocking(true).unwrap();
    stream
}

/// What came; `None` at its end after the connection was closed.
fn read(stream: &mut UnixStream) -> Option<String> {
    let mut text = vec![0; 1 << 20];
    let mut length = 0;
    loop {
        match stream.read(&mut text[length..]) {
            Ok(0) if length == 0 => return None,
            Ok(0) | Err(_) => return Some(String::from_utf8(text[..length].to_vec()).unwrap()),
            Ok(more) => length += more,
        }
    }
}

#[test]
fn what_is_no_order_is_not_typed() {
    let (_folder, mut control, mut stream) = connected();
    for bad in [&b"#7 cores\n"[..], b"a\x01b\n", "bäh\n".as_bytes(), &[&[b'x'; 113][..], b"\n"].concat()] {
        stream.write_all(bad).unwrap();
        assert_eq!(control.poll(), b"", "{bad:?}");
        let answer = read(&mut stream).unwrap();
        assert!(answer.starts_with("order: id=0 refused reason=syntax ("), "{answer}");
    }
    stream.write_all(b"\n  \r\n cores \r\n").unwrap();
    assert_eq!(control.poll(), b"#1 cores\n");
    // A line that does not end ends the connection.
    stream.write_all(&[b'x'; 4000]).unwrap();
    assert_eq!(control.poll(), b"");
    assert!(read(&mut stream).unwrap().contains("too long"));
    control.poll();
    assert_eq!(read(&mut stream), None);
}

#[test]
fn a_client_that_says_too_much_waits() {
    let (_folder, mut control, mut stream) = connected();
    stream.write_all("cores\n".repeat(100).as_bytes()).unwrap();
    let typed: Vec<u8> = (0..10).flat_map(|_| control.poll()).collect();
    assert_eq!(typed.iter().filter(|byte| **byte == b'\n').count(), 16);
    control.kernel_line("[    1.000000  0] order: id=5 end");
    assert_eq!(control.poll(), b"#17 cores\n");
    assert!(control.poll().is_empty());
}

#[test]
fn a_client_that_does_not_read_is_dropped() {
    let (_folder, mut control, mut stream) = connected();
    stream.write_all(b"cores\n").unwrap();
    control.poll();
    let row = format!("[    1.000000  0] order: id=1 core=1 state=idle {}", "x".repeat(1000));
    for _ in 0..2000 {
        control.kernel_line(&row);
        control.poll();
    }
    while let Some(text) = read(&mut stream) {
        assert!(!text.is_empty(), "still connected");
    }
}

#[test]
fn one_client_too_many_is_told_so() {
    let (folder, mut control, first) = connected();
    let others: Vec<UnixStream> = (0..15).map(|_| connect(folder.path())).collect();
    let mut extra = connect(folder.path());
    control.poll();
    assert_eq!(read(&mut extra).unwrap(), "order: id=0 refused reason=busy (too many clients)\n");
    assert_eq!(read(&mut extra), None);
    // Who has gone makes room, even if an order of his is not over.
    let mut gone = others.into_iter().next_back().unwrap();
    gone.write_all(b"cores\n").unwrap();
    assert_eq!(control.poll(), b"#1 cores\n");
    drop(gone);
    control.poll();
    control.poll();
    let mut next = connect(folder.path());
    next.write_all(b"domains\n").unwrap();
    assert_eq!(control.poll(), b"#2 domains\n");
    drop(first);
}

#[test]
fn a_client_that_stopped_writing_is_still_answered() {
    let (_folder, mut control, mut stream) = connected();
    stream.write_all(b"cores").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(control.poll(), b"#1 cores\n");
    control.poll();
    control.kernel_line("[    1.000000  0] order: id=1 end");
    control.poll();
    control.poll();
    assert_eq!(read(&mut stream).unwrap(), "order: id=1 sent\norder: id=1 end\n");
    assert_eq!(read(&mut stream), None);
}

#[test]
fn answers_of_nobody_and_other_lines_are_passed_to_nobody() {
    let (_folder, mut control, mut stream) = connected();
    stream.write_all(b"cores\n").unwrap();
    control.poll();
    let foreign =
        ["order: id=1 end", "[    1.000000  0] linux: id=1 end", "[    1.000000  0] order: id=0 end", "\u{1}"];
    foreign.iter().for_each(|line| control.kernel_line(line));
    control.poll();
    assert_eq!(read(&mut stream).unwrap(), "order: id=1 sent\n");
}
