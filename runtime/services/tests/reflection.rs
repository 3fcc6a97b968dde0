//! Reflection as its clients see it: the contract, case by case.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use grpc_runtime::prost::Message;
use grpc_runtime::{Channel, ChannelCredentials, Code, Context, Method, Server, Service, Status};
use grpc_services::proto::grpc::reflection::v1::server_reflection_response::MessageResponse;
use grpc_services::{Health, Reflection};
use grpc_testing::Network;
use tokio::time::Instant;

use support::{
    Asking, MISSING, V1, V1ALPHA, base, declaring, extending, named, orders, raw_set, serve, shop,
};

const NOWHERE: Method = Method::unary("/shop.Undescribed/Get");

async fn nothing((): &(), (): (), _: &mut Context) -> Result<(), Status> {
    Ok(())
}

fn undescribed() -> Service {
    Service::builder("shop.Undescribed", Arc::new(()))
        .unary(NOWHERE, nothing)
        .build()
}

/// What is in the sets and not served, `shop.Orders`, is not listed; what is served and in
/// no set is.
#[tokio::test]
async fn what_is_served_is_listed_in_order_and_nothing_else() {
    let server = serve([shop()])
        .add_service(undescribed())
        .add_service(Health::new().service());
    let mut asking = Asking::at(server);
    let expected = [
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        "shop.Undescribed",
    ];
    assert_eq!(asking.services().await, expected);
    let (code, text) = asking
        .names(declaring("shop.Undescribed"))
        .await
        .unwrap_err();
    assert_eq!(code, MISSING);
    assert!(text.contains("descriptors were not given"), "{text}");

    let alone = Reflection::new([shop()]).unwrap();
    let mut asking = Asking::at(Server::builder().add_service(alone.v1()));
    assert_eq!(
        asking.services().await,
        ["grpc.reflection.v1.ServerReflection"]
    );
}

#[tokio::test]
async fn the_services_of_this_crate_are_described_without_being_given() {
    let mut asking = Asking::at(serve([]));
    for (symbol, file) in [
        (
            "grpc.reflection.v1.ServerReflection",
            "grpc/reflection/v1/reflection.proto",
        ),
        (
            "grpc.reflection.v1alpha.ServerReflection.ServerReflectionInfo",
            "grpc/reflection/v1alpha/reflection.proto",
        ),
        ("grpc.health.v1.Health", "grpc/health/v1/health.proto"),
        (
            "xds.data.orca.v3.OrcaLoadReport",
            "xds/data/orca/v3/orca_load_report.proto",
        ),
    ] {
        assert_eq!(asking.names(declaring(symbol)).await.unwrap(), [file]);
    }
    let files = asking
        .names(declaring("google.rpc.BadRequest"))
        .await
        .unwrap();
    assert_eq!(
        files,
        [
            "google/rpc/error_details.proto",
            "google/protobuf/duration.proto"
        ]
    );
}

#[tokio::test]
async fn a_miss_is_an_answer_and_the_stream_goes_on() {
    let mut asking = Asking::at(serve([shop()]));
    for (question, said) in [
        (named("shop/none.proto"), "no file 'shop/none.proto'"),
        (named("orders.proto"), "no file"),
        (declaring("shop.None"), "declared as 'shop.None'"),
        (declaring(".shop.Order"), "declared"),
        (declaring("shop"), "declared"),
        (declaring(""), "declared"),
        (extending("shop.Order", 7), "'shop.Order' with number 7"),
        (extending("shop.None", 101), "no extension"),
    ] {
        let (code, text) = asking.names(question).await.unwrap_err();
        assert_eq!(code, MISSING, "{text}");
        assert!(text.contains(said), "{text}");
    }
    let long = "é".repeat(100_000);
    let (_, text) = asking.names(declaring(&long)).await.unwrap_err();
    assert!(text.len() < 1_000, "{}", text.len());
    assert_eq!(
        asking.names(named("shop/base.proto")).await.unwrap().len(),
        1
    );
}

#[tokio::test]
async fn a_request_that_asks_for_nothing_ends_the_stream() {
    let mut asking = Asking::at(serve([shop()]));
    let status = asking.ask(None).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("message_request"), "{status}");
}

#[tokio::test]
async fn a_file_comes_first_and_what_it_imports_once_a_stream() {
    let server = Channel::in_process(serve([shop()])).unwrap();
    let mut asking = Asking::over(&server, V1);
    let all = ["shop/orders.proto", "shop/money.proto", "shop/base.proto"];
    assert_eq!(asking.names(declaring("shop.Order")).await.unwrap(), all);
    // Asked for again, it is sent again, without what it imports.
    let again = asking.names(named("shop/orders.proto")).await.unwrap();
    assert_eq!(again, all[..1]);
    let later = asking.names(declaring("shop.late")).await.unwrap();
    assert_eq!(later, ["shop/extras.proto"]);
    let import = asking.names(named("shop/base.proto")).await.unwrap();
    assert_eq!(import, ["shop/base.proto"]);

    let mut another = Asking::over(&server, V1);
    let from_below = another.names(named("shop/money.proto")).await.unwrap();
    assert_eq!(from_below, all[1..]);
    let above = another.names(declaring("shop.early")).await.unwrap();
    assert_eq!(above, ["shop/extras.proto", "shop/orders.proto"]);
}

#[tokio::test]
async fn every_kind_of_symbol_is_found() {
    let mut asking = Asking::at(serve([shop()]));
    for symbol in [
        "shop.Orders",
        "shop.Orders.Get",
        "shop.Order",
        "shop.Order.id",
        "shop.Order.paid",
        "shop.Order.Line",
        "shop.Order.Line.Note",
        "shop.Order.Line.Unit",
        "shop.Order.Line.PIECE",
        "shop.Order.Line.nested_extra",
        "shop.State",
        "shop.STATE_OPEN",
    ] {
        let files = asking.names(declaring(symbol)).await.unwrap();
        assert_eq!(files[0], "shop/orders.proto", "{symbol}");
    }
    let files = asking.names(declaring("shop.early")).await.unwrap();
    assert_eq!(files[0], "shop/extras.proto");
}

#[tokio::test]
async fn extensions_are_found_by_number_and_their_numbers_are_sorted() {
    let mut asking = Asking::at(serve([shop()]));
    assert_eq!(asking.numbers("shop.Order").await.unwrap(), [101, 102, 500]);
    // A message that nobody extends, one within another, and what is no message.
    for plain in ["shop.Money", "shop.Order.Line"] {
        let numbers = asking.numbers(plain).await.unwrap();
        assert!(numbers.is_empty(), "{plain}: {numbers:?}");
    }
    for unknown in ["shop.None", "shop.State", "shop.Orders", ""] {
        let (code, text) = asking.numbers(unknown).await.unwrap_err();
        assert_eq!(code, MISSING, "{unknown}: {text}");
    }
    for (number, file) in [(101, "shop/extras.proto"), (102, "shop/orders.proto")] {
        let files = asking.names(extending("shop.Order", number)).await.unwrap();
        assert_eq!(files[0], file);
    }
}

/// Options that nobody here knows, and fields of a later descriptor.proto.
#[tokio::test]
async fn files_arrive_byte_by_byte_as_the_set_has_them() {
    // Field 8, options: extension 50000 with a text. Field 99: a number, and in no order.
    let options = [0x42, 8, 0x82, 0xb5, 0x18, 4, b'm', b'i', b'n', b'e'];
    let unordered = [0x98, 0x06, 7];
    let file = [&unordered[..], &base().encode_to_vec(), &options].concat();
    let mut asking = Asking::at(serve([raw_set(std::slice::from_ref(&file))]));
    let files = asking.files(named("shop/base.proto")).await.unwrap();
    assert_eq!(files, [file]);
}

#[tokio::test]
async fn both_versions_say_the_same() {
    let server = Channel::in_process(serve([shop()])).unwrap();
    let (mut new, mut old) = (Asking::over(&server, V1), Asking::over(&server, V1ALPHA));
    assert_eq!(new.services().await, old.services().await);
    for question in [
        named("shop/extras.proto"),
        declaring("shop.Orders.Get"),
        declaring("shop.None"),
        extending("shop.Order", 500),
    ] {
        let told = new.ask(Some(question.clone())).await.unwrap();
        assert_eq!(told, old.ask(Some(question)).await.unwrap());
    }
    assert_eq!(
        new.numbers("shop.Order").await,
        old.numbers("shop.Order").await
    );
    assert_eq!(
        old.ask(None).await.unwrap_err().code(),
        Code::InvalidArgument
    );
}

#[tokio::test]
async fn an_interceptor_keeps_it_for_those_it_is_for() {
    let reflection = Reflection::new([shop()]).unwrap();
    let guard = |context: &mut Context| match context.metadata().get("x-user") {
        Some("ann") => Ok(()),
        _ => Err(Status::permission_denied("for ann alone")),
    };
    let services = reflection.services().map(|it| it.interceptor(guard));
    let server = Server::builder()
        .add_services(services)
        .add_service(undescribed());
    let mut asking = Asking::at(server);
    let status = asking
        .ask(Some(named("shop/base.proto")))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);

    let allowed = |context: &mut Context| {
        context.metadata_mut().append("x-user", "ann")?;
        Ok(())
    };
    let services = reflection.services().map(|it| it.interceptor(guard));
    let server = Server::builder()
        .interceptor(allowed)
        .add_services(services);
    let told = Asking::at(server.add_service(undescribed()))
        .services()
        .await;
    assert_eq!(told.len(), 3);
}

#[tokio::test]
async fn files_that_import_each_other_are_sent_once() {
    let mut base = base();
    base.dependency.push("shop/orders.proto".to_owned());
    let set = support::set([base, support::money(), orders()]);
    let mut asking = Asking::at(serve([set]));
    let files = asking.names(named("shop/base.proto")).await.unwrap();
    assert_eq!(
        files,
        ["shop/base.proto", "shop/orders.proto", "shop/money.proto"]
    );
    let question = Some(named("shop/base.proto"));
    let told = asking.ask(question).await.unwrap();
    assert!(matches!(told, MessageResponse::FileDescriptorResponse(_)));
}

/// A tool that stays, as grpcui does, holds up no shutdown.
#[tokio::test(start_paused = true)]
async fn a_stream_of_questions_ends_with_its_server() {
    let network = Network::new(7);
    let host = network.bind("shop", serve([shop()])).await.unwrap();
    let channel = Channel::builder("passthrough:///shop")
        .unwrap()
        .connector(network.connector("client"))
        .build(ChannelCredentials::insecure())
        .unwrap();
    let mut asking = Asking::over(&channel, V1);
    asking.services().await;
    let began = Instant::now();
    let report = host.shutdown(Duration::from_secs(3_600)).await;
    assert_eq!(report.calls_cut, 0);
    assert!(
        began.elapsed() < Duration::from_secs(60),
        "{:?}",
        began.elapsed()
    );
    let status = asking.end().await;
    assert_eq!(status.code(), Code::Unavailable);
}
