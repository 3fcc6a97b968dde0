//! A server with the services of `grpc-services`, for the clients of others. `--port` is
//! where it listens, 0 for any, which is then printed as `listening on ADDRESS`; `--use_tls`
//! with `--tls_cert_file` and `--tls_key_file` encrypts, as in the interop server.

use grpc_runtime::prost::Message;
use grpc_runtime::prost_types::{Any, Timestamp};
use grpc_runtime::rpc::{BadRequest, bad_request::FieldViolation};
use grpc_runtime::{Context, LoadReport, Sender, Server, Status};
use grpc_services::{Health, OutOfBandLoad, Reflection, ServingStatus};
use grpc_tests::flags::Flags;
use grpc_tests::security::server_credentials;

mod proto {
    grpc_runtime::include_proto!("catalogue_services");
}

use proto::catalogue::common::Shelf;
use proto::catalogue::{
    Book, BookRequest, CatalogueServer, CatalogueServicer, FILE_DESCRIPTOR_SET, HealthDone,
    HealthOrder, book, health_order,
};

struct Books(Health);

fn book(title: &str) -> Book {
    let shelf = Shelf {
        room: Some("north".to_owned()),
        row: Some(3),
    };
    Book {
        title: Some(title.to_owned()),
        printed: Some(Timestamp {
            seconds: 1_000_000_000,
            nanos: 0,
        }),
        price: Some(book::Price::Cents(1_250)),
        notes: vec![Any {
            type_url: "type.googleapis.com/catalogue.common.Shelf".to_owned(),
            value: shelf.encode_to_vec(),
        }],
        shelf: Some(shelf),
        cover: Some(book::Cover::Hard.into()),
        copies: [("north".to_owned(), 2)].into(),
    }
}

impl CatalogueServicer for Books {
    async fn find(&self, request: BookRequest, _: &mut Context) -> Result<Book, Status> {
        match request.title() {
            "" => Err(Status::invalid_argument("which book?")
                .with_detail(&BadRequest::new([FieldViolation::new("title", "is empty")]))),
            title => Ok(book(title)),
        }
    }

    async fn all(
        &self,
        _: BookRequest,
        books: &mut Sender<Book>,
        _: &mut Context,
    ) -> Result<(), Status> {
        for title in ["A", "B", "C"] {
            books.send(book(title)).await?;
        }
        Ok(())
    }

    async fn order_health(
        &self,
        order: HealthOrder,
        _: &mut Context,
    ) -> Result<HealthDone, Status> {
        let health = &self.0;
        match order.kind() {
            health_order::Kind::Set => {
                let status = ServingStatus::try_from(order.status());
                let status =
                    status.map_err(|unknown| Status::invalid_argument(unknown.to_string()))?;
                health.set(order.service(), status);
            }
            health_order::Kind::Clear => health.clear(order.service()),
            health_order::Kind::ShutDown => health.shut_down(),
            health_order::Kind::Resume => health.resume(),
        }
        Ok(HealthDone {})
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut flags = Flags::parse(std::env::args().skip(1))?;
    let port: u16 = flags.take("port", 8080)?;
    let credentials = server_credentials(&mut flags)?;
    flags.finish()?;
    let health = Health::new();
    let load = OutOfBandLoad::new();
    let mut report = LoadReport::new();
    report.set_cpu_utilization(0.25).set_qps(100.0);
    load.set(report);
    let server = Server::builder()
        .add_service(CatalogueServer::new(Books(health.clone())))
        .add_service(health.service())
        .add_service(load.service())
        .add_services(Reflection::new([FILE_DESCRIPTOR_SET])?.services())
        .listen_with(format!("127.0.0.1:{port}"), credentials)
        .start()
        .await?;
    println!("listening on {}", server.addresses()[0]);
    server.wait().await;
    Ok(())
}
