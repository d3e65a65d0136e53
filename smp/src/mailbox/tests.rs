//! Tests of the mailbox on one thread.

use super::*;

#[test]
fn only_the_first_post_rings() {
    let mailbox = Mailbox::default();
    assert!(mailbox.is_empty());
    assert_eq!(mailbox.post(Requests::KICK), Doorbell::Ring);
    assert_eq!(mailbox.post(Requests::KICK), Doorbell::AlreadyRung);
    assert_eq!(mailbox.post(Requests::STOP), Doorbell::AlreadyRung);
    assert!(!mailbox.is_empty());
    assert_eq!(mailbox.take(), Requests::KICK | Requests::STOP);
    assert!(mailbox.is_empty());
    assert_eq!(mailbox.take(), Requests::empty());
    assert_eq!(mailbox.post(Requests::STOP), Doorbell::Ring);
}

#[test]
fn a_mailbox_shares_no_line() {
    assert!(align_of::<Mailbox>() >= 64);
    assert_eq!(size_of::<Mailbox>(), align_of::<Mailbox>());
}
