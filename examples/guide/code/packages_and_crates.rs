//! Two packages, of which one uses the other's types.

use grpc_runtime::{Channel, Context, Server, Status};

// snippet: use
/// Has `acme::money::v1` and `acme::shop::v1`.
mod api {
    grpc_runtime::include_proto!("acme_api");
}

use api::acme::money::v1::Amount;
use api::acme::shop::v1::{GetPriceRequest, GetPriceResponse, ShopServer, ShopServicer, ShopStub};
// end

struct Prices;

// snippet: serve
impl ShopServicer for Prices {
    async fn get_price(
        &self,
        request: GetPriceRequest,
        _context: &mut Context,
    ) -> Result<GetPriceResponse, Status> {
        if request.item != "book" {
            return Err(Status::not_found("no such item"));
        }
        let price = Amount {
            currency: "NOK".to_owned(),
            cents: 12_900,
        };
        Ok(GetPriceResponse { price: Some(price) })
    }
}
// end

#[tokio::test]
async fn both_packages_serve_one_call() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::builder().add_service(ShopServer::new(Prices));
    let stub = ShopStub::new(Channel::in_process(server)?);
    let response = stub
        .get_price(GetPriceRequest {
            item: "book".to_owned(),
        })
        .await?;
    assert_eq!(response.price.unwrap_or_default().cents, 12_900);
    Ok(())
}
