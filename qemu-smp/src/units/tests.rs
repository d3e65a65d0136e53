use super::*;

#[test]
fn sizes_need_a_binary_unit() {
    assert_eq!("256MiB".parse(), Ok(Bytes(256 << 20)));
    assert_eq!("2 GiB".parse(), Ok(Bytes(2 << 30)));
    for wrong in ["", "MiB", "256", "256MB", "-1MiB", "+1MiB", "1.5GiB", "99999999999TiB"] {
        assert!(wrong.parse::<Bytes>().is_err(), "{wrong}");
    }
}

#[test]
fn sizes_are_shown_in_the_largest_exact_unit() {
    assert_eq!(Bytes(2 << 30).to_string(), "2GiB");
    assert_eq!(Bytes(1536 << 20).to_string(), "1536MiB");
    assert_eq!(Bytes(0).to_string(), "0 bytes");
    assert_eq!(Bytes(1025).to_string(), "1025 bytes");
}

#[test]
fn times_need_a_unit() {
    assert_eq!("500ms".parse(), Ok(Time(Duration::from_millis(500))));
    assert_eq!("60s".parse(), Ok(Time(Duration::from_secs(60))));
    assert_eq!("5min".parse(), Ok(Time(Duration::from_secs(300))));
    for wrong in ["", "s", "60", "1.5s", "60 seconds", "9999999h"] {
        assert!(wrong.parse::<Time>().is_err(), "{wrong}");
    }
}

#[test]
fn latencies_are_short() {
    assert_eq!("250us".parse(), Ok(Latency(Duration::from_micros(250))));
    assert_eq!("5ms".parse(), Ok(Latency(Duration::from_millis(5))));
    assert_eq!("1s".parse(), Ok(Latency(Duration::from_secs(1))));
    for wrong in ["", "us", "5", "0.5ms", "1min", "99999999999999s"] {
        assert!(wrong.parse::<Latency>().is_err(), "{wrong}");
    }
}
