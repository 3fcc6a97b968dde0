//! Tests of `output.rs`.

use super::*;

fn gathered(output: &Output) -> Vec<u8> {
    let mut slices = [IoSlice::new(&[]); 8];
    let count = output.slices(&mut slices);
    slices[..count]
        .iter()
        .flat_map(|slice| slice.to_vec())
        .collect()
}

#[test]
fn order_is_kept_between_small_and_large_pieces() {
    let mut output = Output::default();
    output.push(Bytes::from_static(b"head"), false);
    output.push(Bytes::from(vec![b'x'; COPY_LIMIT + 1]), false);
    output.push(Bytes::from_static(b"tail"), false);
    let mut expected = b"head".to_vec();
    expected.extend(vec![b'x'; COPY_LIMIT + 1]);
    expected.extend(b"tail");
    assert_eq!(output.len(), expected.len());
    while !output.is_empty() {
        assert_eq!(gathered(&output), expected);
        let step = 1_000.min(expected.len());
        output.advance(step);
        expected.drain(..step);
    }
    assert!(expected.is_empty());
}

#[test]
fn memory_comes_back_with_the_few_last_bytes_of_a_large_chunk() {
    let mut output = Output::default();
    let mut chunk = Bytes::from(vec![b'x'; 100_000]);
    output.push(chunk.split_to(99_999), false);
    output.advance(99_999);
    output.push(chunk, true);
    let again = spare::take(90_000);
    assert!(again.capacity() >= 100_000, "it is the chunk's");
}

#[test]
fn what_is_copied_keeps_no_chunk_and_is_the_same() {
    let chunk = Bytes::from(vec![b'x'; 100_000]);
    let mut output = Output::default();
    output.push(Bytes::from_static(b"head"), false);
    output.push(chunk.slice(90_000..), false);
    output.push(Bytes::from_static(b"tail"), false);
    let before = gathered(&output);
    assert!(!chunk.is_unique());
    output.unpin();
    assert!(chunk.is_unique());
    assert_eq!(gathered(&output), before);
}
