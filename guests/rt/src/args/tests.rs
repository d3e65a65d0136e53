use super::Args;

#[test]
fn finds_values_by_key() {
    let args = Args("act=wild-read  address=0x10_ flag address=0x10 empty=");
    assert_eq!(args.get("act"), Some("wild-read"));
    assert_eq!(args.get("address"), Some("0x10"));
    assert_eq!(args.get("empty"), Some(""));
    assert_eq!(args.get("flag"), None);
    assert_eq!(args.get("addr"), None);
}

#[test]
fn reads_numbers_in_both_bases() {
    let args = Args("ticks=2000 address=0x4000_0000 base=0xC0FFEE");
    assert_eq!(args.number("ticks", 1), 2000);
    assert_eq!(args.number("base", 1), 0x00C0_FFEE);
    assert_eq!(args.number("missing", 7), 7);
}

#[test]
#[should_panic(expected = "argument ticks=many is not a number")]
fn a_value_that_is_no_number_is_refused() {
    Args("ticks=many").number("ticks", 1);
}
