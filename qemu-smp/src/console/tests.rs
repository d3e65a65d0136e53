use domains::protocol::Mux;

use super::*;

fn framed(pieces: &[(Tag, &[u8])]) -> Vec<u8> {
    let (mut mux, mut line) = (Mux::default(), Vec::new());
    for (tag, bytes) in pieces {
        mux.write(*tag, bytes, |byte| line.push(byte));
    }
    line
}

#[test]
fn the_line_comes_apart_wherever_it_was_cut() {
    let pieces: [(Tag, &[u8]); 4] = [
        (Tag::Kernel, b"boot\n"),
        (Tag::Domain(0), b"lin\x01ux"),
        (Tag::Domain(1), b"rt"),
        (Tag::Domain(0), b" again"),
    ];
    let line = framed(&pieces);
    for cut in 0..line.len() {
        let mut demultiplexer = Demultiplexer::new(3);
        let mut consoles = vec![Vec::new(); 3];
        for part in [&line[..cut], &line[cut..]] {
            for (id, bytes) in demultiplexer.push(part) {
                consoles[id.0].extend(bytes);
            }
        }
        assert_eq!(consoles[0], b"boot\n");
        assert_eq!(consoles[1], b"lin\x01ux again");
        assert_eq!(consoles[2], b"rt");
    }
}

#[test]
fn output_of_a_domain_that_is_not_there_is_kept() {
    let line = framed(&[(Tag::Domain(5), b"who?")]);
    let parts = Demultiplexer::new(2).push(&line);
    assert_eq!(parts, [(ConsoleId::KERNEL, b"who?".to_vec())]);
}

#[test]
fn consoles_have_their_tags() {
    assert_eq!(ConsoleId::KERNEL.tag(), Tag::Kernel);
    assert_eq!(ConsoleId(1).tag(), Tag::Domain(0));
}

#[test]
fn texts_are_found_across_pieces_and_line_ends() {
    let mut watch = Watch::new("ready\n# ");
    assert!(!watch.push(b"not rea"));
    assert!(!watch.push(b"dy\r"));
    assert!(!watch.push(b"\n"));
    assert!(watch.push(b"# "));
    assert!(watch.push(b"and on"));
    assert!(watch.is_seen());
    let mut other = Watch::new("aab");
    assert!(!other.push(b"aa"));
    assert!(other.push(b"ab"));
}

#[test]
fn lines_lose_their_end_and_are_bounded() {
    let (mut lines, mut seen) = (Lines::default(), Vec::new());
    lines.push(b"one\r\ntw", |line| seen.push(line.to_owned()));
    lines.push(b"o\n\npart", |line| seen.push(line.to_owned()));
    assert_eq!(seen, ["one", "two", ""]);
    assert_eq!(lines.unfinished().as_deref(), Some("part"));
    let mut count = 0;
    Lines::default().push(&[b'x'; 10_000], |_| count += 1);
    assert_eq!(count, 2);
}

#[test]
fn nothing_a_guest_prints_acts_on_the_terminal() {
    assert_eq!(printable("\x1b[31mred\x1b[0m\x07 a\tb\x1b]0;title\x07"), "red a\tb]0;title");
    assert_eq!(printable("\x1b[6n"), "");
    assert_eq!(printable("cut \x1b[12"), "cut ");
}

#[test]
fn a_log_is_bounded_and_keeps_its_tail() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.log");
    let mut log = Log::create(path.clone()).unwrap();
    let line = [b'x'; 1023].iter().chain(b"\n").copied().collect::<Vec<u8>>();
    for _ in 0..(17 << 10) {
        log.write(&line, |_| {}).unwrap();
    }
    log.write(b"last\nprompt> ", |_| {}).unwrap();
    let length = std::fs::metadata(path).unwrap().len();
    assert!(length < log::LIMIT + 100, "{length}");
    let tail = log.tail();
    assert_eq!(tail[tail.len() - 2..], ["last", "prompt> "]);
}
