//! What generated messages look like in Rust, their sizes, and how they are compressed.

use std::collections::BTreeMap;

use grpc_runtime::{Channel, Code, Compression, Context, Server, Status};

use crate::harness::output;

// snippet: include
mod store {
    grpc_runtime::include_proto!("store");
}

use store::order::{Line, Payment, State};
use store::{GetOrderRequest, Order, StoreServer, StoreServicer, StoreStub};
// end

fn order() -> Order {
    // snippet: make
    let mut order = Order {
        id: "7".to_owned(),
        lines: vec![Line {
            item: "book".to_owned(),
            count: 2,
        }],
        labels: BTreeMap::from([("shop".to_owned(), "oslo".to_owned())]),
        payment: Some(Payment::Card("1234".to_owned())),
        ..Order::default()
    };
    order.set_state(State::Paid);
    // end
    order
}

#[test]
fn fields_are_read() {
    let order = order();
    // snippet: read
    assert_eq!(order.note, None); // `optional`: not there
    assert_eq!(order.note(), ""); // the same, or its default
    assert_eq!(order.state(), State::Paid);
    match &order.payment {
        Some(Payment::Card(number)) => println!("card {number}"),
        Some(Payment::Voucher(bytes)) => println!("voucher of {} bytes", bytes.len()),
        None => println!("not paid"),
    }
    // end
}

#[test]
fn an_enums_value_may_be_unknown() {
    // snippet: unknown-enum
    // A number that this program's .proto file does not have, of a newer peer.
    let order = Order {
        state: 99,
        ..Order::default()
    };
    assert_eq!(order.state(), State::Unspecified);
    assert!(State::try_from(order.state).is_err());
    // end
}

#[test]
fn a_message_is_bytes_and_back() {
    let order = order();
    // snippet: encode
    use grpc_runtime::prost::Message as _;

    let bytes = order.encode_to_vec();
    let again = Order::decode(bytes.as_slice()).unwrap();
    assert_eq!(again, order);
    // end
    assert_eq!(order.encoded_len(), bytes.len());
}

#[test]
fn options_show_in_what_is_generated() {
    let mut order = order();
    order.placed = Some(std::time::SystemTime::UNIX_EPOCH.into());
    order.photo = vec![1].into();
    // snippet: generated
    let json = serde_json::to_string(&order.lines).unwrap(); // `type_attribute`
    assert_eq!(json, r#"[{"item":"book","count":2}]"#);
    let photo: grpc_runtime::prost::bytes::Bytes = order.photo.clone(); // `bytes`
    let labels: &BTreeMap<String, String> = &order.labels; // `btree_map`
    // end
    assert_eq!((photo.len(), labels.len()), (1, 1));
}

struct Shelf;

impl StoreServicer for Shelf {
    async fn get_order(
        &self,
        request: GetOrderRequest,
        context: &mut Context,
    ) -> Result<Order, Status> {
        let note = Some("x".repeat(request.id.parse().unwrap_or(0)));
        if request.id == "7" {
            // snippet: compress-answer
            // In a handler: the answer of this call.
            context.set_compression(Compression::Gzip)?;
            // end
        }
        Ok(Order {
            note,
            ..Order::default()
        })
    }
}

#[tokio::test]
async fn a_large_message_needs_a_larger_limit() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::builder().add_service(StoreServer::new(Shelf));
    let stub = StoreStub::new(Channel::in_process(server)?);
    let request = GetOrderRequest {
        id: (5 << 20).to_string(),
    };
    let status = stub.get_order(request.clone()).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    output("too-large", &status.to_string());
    // snippet: larger
    let order = stub
        .get_order(request)
        .max_receive_message_size(16 << 20)
        .await?;
    // end
    assert_eq!(order.note().len(), 5 << 20);
    Ok(())
}

#[tokio::test]
async fn messages_are_compressed_when_asked_for() -> Result<(), Box<dyn std::error::Error>> {
    let plain = Server::builder().add_service(StoreServer::new(Shelf));
    let builder = Server::builder().add_service(StoreServer::new(Shelf));
    // snippet: compress-server
    // Every answer of the server, to clients that accept it.
    let server = builder.compression(Compression::Gzip);
    // end
    let request = |id: &str| GetOrderRequest { id: id.to_owned() };
    let stub = StoreStub::new(Channel::in_process(server)?);
    assert!(
        stub.get_order(request("0"))
            .response()
            .await?
            .was_compressed
    );

    let stub = StoreStub::new(Channel::in_process(plain)?);
    assert!(
        !stub
            .get_order(request("0"))
            .response()
            .await?
            .was_compressed
    );
    let request = request("7");
    // snippet: compress-call
    // The request of this call.
    let call = stub.get_order(request).compression(Compression::Gzip);
    let response = call.response().await?;
    println!("the answer was compressed: {}", response.was_compressed);
    // end
    assert!(response.was_compressed);
    Ok(())
}
