//! Limits of one service beside its server's.

use super::{echoes, stub_of};
use crate::support::Echo;
use grpc_runtime::{Code, Server};

#[tokio::test]
async fn a_services_limits_go_before_its_servers() {
    let server = || {
        Server::builder()
            .max_receive_message_size(100)
            .max_send_message_size(100)
    };
    let strict = stub_of(server().add_service(echoes()));
    let wide = echoes()
        .max_receive_message_size(10_000)
        .max_send_message_size(10_000);
    let wide = stub_of(server().add_service(wide));
    let mute = echoes()
        .max_receive_message_size(10_000)
        .max_send_message_size(10);
    let mute = stub_of(server().add_service(mute));
    for (stub, expected) in [
        (strict, Code::ResourceExhausted),
        (wide, Code::Ok),
        (mute, Code::ResourceExhausted),
    ] {
        let unary = stub.unary(Echo::data(1_000)).await;
        let code = unary.map_or_else(|status| status.code(), |_| Code::Ok);
        assert_eq!(code, expected);
        let (mut requests, mut replies) = stub.chat().start();
        requests.send(Echo::data(1_000)).await.unwrap();
        requests.finish();
        let first = replies.next().await;
        let code = first.map_or_else(|status| status.code(), |_| Code::Ok);
        assert_eq!(code, expected);
        assert!(stub.unary(Echo::text("hi")).await.is_ok());
    }
}
