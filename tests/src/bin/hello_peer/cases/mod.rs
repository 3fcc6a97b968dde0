//! The cases. Each has the same name, and makes the same calls, as its twin in
//! the other languages.

mod cancel;
mod credentials;
mod deadline;
mod error;
mod kinds;
mod metadata;
mod size;

use crate::client::{BOUND, Client, Failure};

/// Runs every case and prints how it went.
///
/// # Errors
/// Some cases failed.
pub(crate) async fn run(client: &Client) -> Result<(), Failure> {
    let mut failures = 0;
    macro_rules! cases {
        ($($name:literal => $case:path,)*) => {$(
            let outcome = match tokio::time::timeout(BOUND, $case(client)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(format!("no end after {BOUND:?}").into()),
            };
            match outcome {
                Ok(()) => println!("pass {}", $name),
                Err(reason) => {
                    failures += 1;
                    println!("FAIL {}: {reason}", $name);
                }
            }
        )*};
    }
    cases! {
        "unary" => kinds::unary,
        "server streaming" => kinds::server_streaming,
        "client streaming" => kinds::client_streaming,
        "bidi streaming" => kinds::bidi_streaming,
        "bidi, server ends first" => kinds::bidi_server_ends_first,
        "empty messages" => kinds::empty_messages,
        "500 calls at once" => kinds::calls_at_once,
        "metadata, ASCII" => metadata::ascii,
        "metadata, binary" => metadata::binary,
        "metadata, all kinds" => metadata::all_kinds,
        "metadata with an error" => metadata::with_an_error,
        "deadline, unary" => deadline::unary,
        "deadline, mid-stream" => deadline::mid_stream,
        "deadline, as the server sees it" => deadline::as_the_server_sees_it,
        "cancel by client, unary" => cancel::by_client_unary,
        "cancel by client, server stream" => cancel::by_client_server_stream,
        "cancel by client, client stream" => cancel::by_client_client_stream,
        "cancel by client, bidi" => cancel::by_client_bidi,
        "cancel by server, unary" => cancel::by_server_unary,
        "cancel by server, mid-stream" => cancel::by_server_mid_stream,
        "error, every code" => error::every_code,
        "error, message and details" => error::message_and_details,
        "error, typed details" => error::typed_details,
        "error, mid-stream" => error::mid_stream,
        "call credentials, of a call" => credentials::of_a_call,
        "call credentials, of a channel" => credentials::of_a_channel,
        "unimplemented method" => error::unimplemented_method,
        "unimplemented service" => error::unimplemented_service,
        "2 MiB, unary" => size::unary,
        "2 MiB, streamed both ways" => size::streamed,
        "request over the limit" => size::request_over_the_limit,
        "reply over the limit" => size::reply_over_the_limit,
    }
    match failures {
        0 => Ok(()),
        _ => Err(format!("{failures} cases failed").into()),
    }
}
