//! What users of the generator's options get: `build.rs` has generated one file
//! with all of them.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use grpc_runtime::prost::bytes::Bytes;
use grpc_runtime::prost::{Message, Name};
use grpc_runtime::{Channel, Context, Server, Status};
use grpc_tests::options::store::order::Paid;
use grpc_tests::options::store::{
    Color, Details, FILE_DESCRIPTOR_SET, Order, ShopServer, ShopServicer, ShopStub,
};
use prost_types::FileDescriptorSet;

fn order() -> Order {
    Order {
        item: "tea".to_owned(),
        photo: Bytes::from_static(b"png"),
        parts: [("b".to_owned(), 2), ("a".to_owned(), 1)].into(),
        details: Some(Box::new(Details {
            note: "green".to_owned(),
        })),
        color: Color::ColorRed.into(),
        paid: Some(Paid::Card("1234".to_owned())),
    }
}

#[test]
fn serde_reads_what_it_wrote() {
    let json = serde_json::to_string(&order()).unwrap();
    assert_eq!(
        json,
        r#"{"item":"tea","parts":{"a":1,"b":2},"details":{"note":"green"},"color":1,"paid":{"by_card":"1234"}}"#
    );
    let read: Order = serde_json::from_str(&json).unwrap();
    assert_eq!(
        read,
        Order {
            photo: Bytes::new(),
            ..order()
        }
    );
    // `#[serde(default)]` fills in what is missing.
    let read: Order = serde_json::from_str("{}").unwrap();
    assert_eq!(read, Order::default());
}

#[test]
fn the_wire_is_the_same() {
    assert_eq!(
        Order::decode(&order().encode_to_vec()[..]).unwrap(),
        order()
    );
    assert_eq!(
        format!("{:?}", order()),
        "Order { item: \"tea\", photo: b\"png\", parts: {\"a\": 1, \"b\": 2}, details: \
         Some(details), color: 1, paid: Some(Card(\"1234\")) }"
    );
}

#[test]
fn names_have_their_domains() {
    assert_eq!(Order::type_url(), "type.googleapis.com/store.Order");
    assert_eq!(Details::type_url(), "types.store.example/store.Details");
    let any = prost_types::Any::from_msg(&order()).unwrap();
    assert_eq!(any.to_msg::<Order>().unwrap(), order());
}

#[test]
fn descriptors_tell_the_file() {
    let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
    let [file] = &set.file[..] else {
        panic!("{set:?}");
    };
    assert_eq!(file.package(), "store");
    assert_eq!(file.service[0].method[0].name(), "Buy");
    assert!(file.source_code_info.is_none());
}

struct Shop;

impl ShopServicer for Shop {
    async fn buy(&self, request: Order, _: &mut Context) -> Result<Details, Status> {
        Ok(Details {
            note: format!("{} and {} bytes", request.item, request.photo.len()),
        })
    }
}

#[tokio::test]
async fn calls_carry_such_messages() {
    let server = Server::builder()
        .add_service(ShopServer::new(Shop))
        .listen("127.0.0.1:0")
        .start()
        .await
        .unwrap();
    let stub = ShopStub::new(Channel::insecure(&server.addresses()[0]).unwrap());
    assert_eq!(stub.buy(order()).await.unwrap().note, "tea and 3 bytes");
}
