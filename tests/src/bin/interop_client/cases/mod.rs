//! The cases, by their official names.

mod cancel;
mod compression;
mod custom_metadata;
mod negative;
mod orca;
pub(crate) mod scaling;
mod soak;
mod status;
mod streaming;
mod unary;

use std::future::Future;
use std::pin::Pin;

use crate::client::Client;
use crate::failure::Failure;

/// A case under way.
type Running<'a> = Pin<Box<dyn Future<Output = Result<(), Failure>> + 'a>>;

pub(crate) type Case = for<'a> fn(&'a Client) -> Running<'a>;

macro_rules! cases {
    ($($name:literal => $case:path,)*) => {
        &[$(($name, |client| Box::pin($case(client)))),*]
    };
}

const CASES: &[(&str, Case)] = cases! {
    "empty_unary" => unary::empty,
    "large_unary" => unary::large,
    "concurrent_large_unary" => unary::concurrent_large,
    "pick_first_unary" => unary::pick_first,
    "client_compressed_unary" => compression::client_unary,
    "server_compressed_unary" => compression::server_unary,
    "client_streaming" => streaming::client,
    "server_streaming" => streaming::server,
    "client_compressed_streaming" => compression::client_streaming,
    "server_compressed_streaming" => compression::server_streaming,
    "ping_pong" => streaming::ping_pong,
    "half_duplex" => streaming::half_duplex,
    "empty_stream" => streaming::empty,
    "custom_metadata" => custom_metadata::echoed,
    "status_code_and_message" => status::code_and_message,
    "special_status_message" => status::special_message,
    "unimplemented_method" => status::unimplemented_method,
    "unimplemented_service" => status::unimplemented_service,
    "cancel_after_begin" => cancel::after_begin,
    "cancel_after_first_response" => cancel::after_first_response,
    "timeout_on_sleeping_server" => cancel::timeout_on_sleeping_server,
    "rpc_soak" => soak::rpc,
    "channel_soak" => soak::channel,
    "long_lived_channel" => soak::long_lived_channel,
    "orca_per_rpc" => orca::per_rpc,
    "orca_oob" => orca::out_of_band,
    "max_concurrent_streams_connection_scaling" => scaling::connections,
    // Of a server that misbehaves on the level of HTTP/2.
    "goaway" => negative::goaway,
    "rst_after_header" => negative::reset,
    "rst_during_data" => negative::reset,
    "rst_after_data" => negative::reset,
    "ping" => unary::large,
    "max_streams" => negative::max_streams,
    "data_frame_padding" => unary::large,
    "no_df_padding_sanity_test" => unary::large,
};

/// # Errors
/// There is no such case.
pub(crate) fn find(name: &str) -> Result<Case, Failure> {
    let found = CASES.iter().find(|(case, _)| *case == name);
    found.map(|&(_, case)| case).ok_or_else(|| {
        let names: Vec<&str> = CASES.iter().map(|(case, _)| *case).collect();
        format!("--test_case={name} is none of: {}", names.join(", ")).into()
    })
}
