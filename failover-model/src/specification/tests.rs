use super::*;

fn hear(heard: &[(u8, u32, u32, Said)]) -> Result<Specification, Broken> {
    let mut specification = Specification::default();
    for (member, boots, epoch, said) in heard {
        specification.hear(*member, *boots, *epoch, *said)?;
    }
    Ok(specification)
}

const fn committed(sequence: u64) -> Said {
    Said::Committed { sequence, payload: 7 }
}

#[test]
fn what_may_be_said() {
    use Said::{Acts, Resumes};
    let start = [(0, 1, 1, Acts), (0, 1, 1, Resumes { after: 0 }), (0, 1, 1, committed(1))];
    let then = |next: &[(u8, u32, u32, Said)]| hear(&[&start, next].concat()).map(|_| ());
    assert_eq!(then(&[(1, 1, 2, Resumes { after: 1 }), (1, 1, 2, committed(2))]), Ok(()));
    assert_eq!(then(&[(1, 1, 2, Resumes { after: 2 }), (1, 1, 2, committed(3))]), Ok(()), "one was in flight");
    assert_eq!(then(&[(1, 1, 2, Resumes { after: 0 })]), Err(Broken::CommittedLost));
    assert_eq!(then(&[(1, 1, 2, Resumes { after: 3 })]), Err(Broken::Gap));
    assert_eq!(then(&[(0, 1, 1, committed(1))]), Err(Broken::CommittedTwice));
    assert_eq!(then(&[(0, 1, 1, committed(3))]), Err(Broken::Gap));
    assert_eq!(then(&[(1, 1, 2, committed(2))]), Err(Broken::Gap), "it has not looked what is there");
    assert_eq!(then(&[(1, 1, 1, Acts)]), Err(Broken::SplitBrain), "two members");
    assert_eq!(then(&[(0, 2, 1, Acts)]), Err(Broken::SplitBrain), "two lives");
    assert_eq!(then(&[(0, 1, 1, Resumes { after: 1 })]), Err(Broken::SplitBrain), "twice");
    assert_eq!(then(&[(1, 1, 2, Acts), (0, 1, 1, Acts)]), Err(Broken::SplitBrain), "late");
}

#[test]
fn what_is_to_be_found() {
    let said =
        hear(&[(0, 1, 1, Said::Resumes { after: 0 }), (0, 1, 1, committed(1)), (0, 1, 1, committed(2))]).unwrap();
    assert_eq!(said.find(&[(1, 1, 7), (2, 1, 7)]), Ok(()));
    assert_eq!(said.find(&[(1, 1, 7), (2, 1, 7), (3, 1, 7)]), Ok(()), "one was in flight");
    assert_eq!(said.find(&[(2, 1, 7)]), Ok(()), "the first is not kept");
    assert_eq!(said.find(&[(1, 1, 7)]), Err(Broken::CommittedLost));
    assert_eq!(said.find(&[(1, 1, 7), (2, 1, 8)]), Err(Broken::CommittedLost));
    assert_eq!(said.find(&[]), Err(Broken::CommittedLost));
}
