use domains::protocol::{RUN_MODULE, VERDICT_PASS};

use super::*;

#[test]
fn a_log_line_is_read_as_it_was_written() {
    let stamp = LogStamp { microseconds: 1_234, core: 3 };
    let line = format!("{stamp} run: {VERDICT_PASS}\r");
    assert_eq!(line, "[    0.001234  3] run: verdict: pass\r");
    assert_eq!(LogLine::parse(&line), Some(LogLine { stamp, module: RUN_MODULE, text: VERDICT_PASS }));
    let late = LogStamp { microseconds: 123_456_000_001, core: 511 };
    assert_eq!(LogLine::parse(&format!("{late} boot: x=1")).unwrap().stamp, late);
    for bad in ["", "[", "[    0.001234  3] run", "[ 0 3] a: b", "[    x.001234  3] run: a", "a"] {
        assert_eq!(LogLine::parse(bad), None, "{bad}");
    }
}

#[test]
fn a_domain_result_is_read_as_it_was_written() {
    let expected = ExpectedEnd::Off;
    let good = DomainResult { name: "linux", end: EndKind::Off, boots: 1, expected };
    assert_eq!(good.to_string(), "domain: name=linux end=off boots=1 expected=off ok");
    let bad = DomainResult { end: EndKind::Fault, ..good };
    assert_eq!(bad.to_string(), "domain: name=linux end=fault boots=1 expected=off FAILED");
    for result in [good, bad] {
        assert_eq!(domain_result(&result.to_string()), Some(result));
    }
    assert_eq!(domain_result("domain: name=a end=off boots=1 expected=off FAILED"), None);
    assert!(DomainResult { expected: ExpectedEnd::Any, ..bad }.is_ok());
}
