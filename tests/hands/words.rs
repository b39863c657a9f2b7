//! What a hostile jail says in the hands' place is refused, and costs no memory.

use casefile::jail::Refusal;
use casefile::jail::hands::wire::Answer;
use casefile::jail::wire::decode_from_jail;
use proptest::prelude::*;

#[test]
fn a_length_is_a_claim_until_the_bytes_are_there() {
    let claim = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    for (head, what) in
        [(&[0_u8, 0][..], "a chunk"), (&[0, 1], "a listing"), (&[0, 2], "what was found")]
    {
        let packet = [head, &claim, b"few"].concat();
        assert!(decode_from_jail::<Answer>(&packet).is_err(), "{what}");
    }
    // One answer that has nothing in it, and then anything after it.
    let missing = Answer::Refused(Refusal::Missing);
    assert_eq!(decode_from_jail::<Answer>(&[0, 4, 0]).unwrap(), missing);
    assert!(decode_from_jail::<Answer>(&[0, 4, 0, 0]).is_err());
    assert!(decode_from_jail::<Answer>(&[1, 4, 0]).is_err());
    assert!(decode_from_jail::<Answer>(&[]).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_an_answer_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut packet = vec![0];
        packet.extend(&bytes);
        if let Ok(answer) = decode_from_jail::<Answer>(&packet) {
            let told = format!("{answer:?}").len();
            prop_assert!(told < 100 * packet.len() + 1000, "{told} of {}", packet.len());
        }
    }
}
