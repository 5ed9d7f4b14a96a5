//! The lines of an outbox.

use super::*;

#[test]
fn a_message_is_read_back_and_nothing_else_is() {
    let with_key = Message {
        sink: "revenue",
        partition: 17,
        key: Some(br#"{"store":"a\tb"}"#),
        value: br#"{"total":"1.50"}"#,
    };
    let without = Message { key: None, partition: 0, ..with_key };
    let mut text = Vec::new();
    with_key.write(&mut text);
    without.write(&mut text);
    assert_eq!(messages(&text), Ok(vec![with_key, without]));
    assert_eq!(messages(b""), Ok(vec![]));
    let broken: [&[u8]; 5] = [
        b"revenue\t1\t{}\t{}",
        b"revenue\tone\t{}\t{}\n",
        b"revenue\t1\t{}\n",
        b"revenue\t1\t{}\t{}\t{}\n",
        b"\xff\t1\t{}\t{}\n",
    ];
    for line in broken {
        let text = [b"revenue\t1\t{}\t{}\n", line].concat();
        assert_eq!(messages(&text), Err(1), "{}", line.escape_ascii());
    }
}
