//! Requests that are judged by the rules in their `.proto` (protovalidate's `buf.validate`),
//! for all methods of a service by one line. Who sends what the rules do not allow is told
//! each field that is wrong, and no method of the servicer has to ask.

grpc_runtime::include_proto!("accounts");

use std::collections::HashMap;
use std::error::Error;

use grpc_runtime::rpc::{BadRequest, bad_request::FieldViolation};
use grpc_runtime::{Channel, ChannelCredentials, Context, Receiver, Sender, Server};
use grpc_runtime::{Method, Service, Status};
use prost_protovalidate::{Validator, ValidatorOption};
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};

/// The rules of all services in a descriptor set.
struct Rules {
    /// What each method takes, by its path.
    requests: HashMap<String, MessageDescriptor>,
    validator: Validator,
}

impl Rules {
    fn new(descriptor_set: &[u8]) -> Result<Self, prost_reflect::DescriptorError> {
        let pool = DescriptorPool::decode(descriptor_set)?;
        let methods = pool.services().flat_map(|service| {
            let methods: Vec<_> = service.methods().collect();
            methods.into_iter().map(move |method| {
                let path = format!("/{}/{}", service.full_name(), method.name());
                (path, method.input())
            })
        });
        let requests: HashMap<_, _> = methods.collect();
        // Read now and not with the first request of each kind.
        let read = ValidatorOption::MessageDescriptors(requests.values().cloned().collect());
        Ok(Self {
            validator: Validator::with_options(&[read]),
            requests,
        })
    }

    /// What is wrong with a message. It is given back as it is to the client, so it names
    /// fields and rules, and no values.
    fn judge(&self, method: Method, message: &[u8]) -> Result<(), Status> {
        let request = self.requests.get(method.path());
        let request = request.ok_or_else(|| Status::internal("a method without rules"))?;
        let decoded = DynamicMessage::decode(request.clone(), message);
        let message = decoded.map_err(|_| Status::internal("rules of other messages"))?;
        let violations = match self.validator.validate(&message) {
            Ok(()) => return Ok(()),
            Err(prost_protovalidate::Error::Validation(error)) => error.into_violations(),
            // Of the rules, not of the message.
            Err(error) => return Err(Status::internal("the rules do not run").with_source(error)),
        };
        let violations = violations.iter().map(|violation| {
            let mut field = FieldViolation::new(violation.field_path(), violation.message());
            violation.rule_id().clone_into(&mut field.reason);
            field
        });
        let details = BadRequest::new(violations);
        let fields = details.field_violations.iter();
        let fields: Vec<&str> = fields.map(|violation| violation.field.as_str()).collect();
        let text = format!("the request is not valid: {}", fields.join(", "));
        Err(Status::invalid_argument(text).with_detail(&details))
    }
}

/// It never sees a request that is not valid.
struct Opens;

impl AccountsServicer for Opens {
    async fn open(&self, _: OpenRequest, _: &mut Context) -> Result<Opened, Status> {
        Ok(Opened { count: 1 })
    }

    async fn open_all(
        &self,
        requests: &mut Receiver<OpenRequest>,
        _: &mut Context,
    ) -> Result<Opened, Status> {
        let mut count = 0;
        while requests.next().await?.is_some() {
            count += 1;
        }
        Ok(Opened { count })
    }

    async fn each(
        &self,
        request: OpenRequest,
        opened: &mut Sender<Opened>,
        _: &mut Context,
    ) -> Result<(), Status> {
        for _ in &request.addresses {
            opened.send(Opened { count: 1 }).await?;
        }
        Ok(())
    }
}

async fn serve() -> Result<Server, Box<dyn Error>> {
    let rules = Rules::new(FILE_DESCRIPTOR_SET)?;
    let service: Service = AccountsServer::new(Opens).into();
    let service = service.validate_requests(move |method, message| rules.judge(method, message));
    let server = Server::builder().add_service(service);
    Ok(server.listen("127.0.0.1:0").start().await?)
}

fn stub(server: &Server) -> Result<AccountsStub, Box<dyn Error>> {
    let channel = Channel::new(&server.addresses()[0], ChannelCredentials::insecure())?;
    Ok(AccountsStub::new(channel))
}

fn request(email: &str, age: u32, streets: &[&str]) -> OpenRequest {
    let address = |street: &&str| Address {
        street: (*street).to_owned(),
    };
    OpenRequest {
        email: email.to_owned(),
        age,
        addresses: streets.iter().map(address).collect(),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = serve().await?;
    let stub = stub(&server)?;
    for request in [
        request("ada@example.com", 36, &["Main Street 1"]),
        request("nowhere", 12, &["Main Street 1", ""]),
    ] {
        match stub.open(request).await {
            Ok(_) => println!("Opened"),
            Err(status) => {
                println!("Refused: {status}");
                let details = status.detail::<BadRequest>().unwrap_or_default();
                for wrong in details.field_violations {
                    println!("  {} ({})", wrong.field, wrong.reason);
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use grpc_runtime::{Code, Compression};

    use super::*;

    fn good() -> OpenRequest {
        request("ada@example.com", 36, &["Main Street 1"])
    }

    fn bad() -> OpenRequest {
        request("nowhere", 12, &["Main Street 1", ""])
    }

    /// The fields that a status names, with the rules that they break.
    fn named(status: &Status) -> Vec<(String, String)> {
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        let details = status.detail::<BadRequest>().unwrap();
        let violations = details.field_violations.into_iter();
        violations.map(|it| (it.field, it.reason)).collect()
    }

    fn all_that_is_bad() -> Vec<(String, String)> {
        let named = [
            ("email", "string.email"),
            ("age", "uint32.gte_lte"),
            ("addresses[1].street", "string.min_len"),
        ];
        let owned = |(field, rule): (&str, &str)| (field.to_owned(), rule.to_owned());
        named.map(owned).to_vec()
    }

    #[tokio::test]
    async fn who_sends_what_is_not_valid_is_told_each_field_by_every_method() {
        let server = serve().await.unwrap();
        let stub = stub(&server).unwrap();
        let unary = stub.open(bad()).await.unwrap_err();
        assert_eq!(named(&unary), all_that_is_bad());
        assert_eq!(
            unary.message(),
            "the request is not valid: email, age, addresses[1].street"
        );
        let packed = stub.open(bad()).compression(Compression::Gzip).await;
        assert_eq!(named(&packed.unwrap_err()), all_that_is_bad());
        let mut each = stub.each(bad()).start();
        let each = each.next().await.unwrap_err();
        assert_eq!(named(&each), all_that_is_bad());
        let many = request("ada@example.com", 36, &["here", "there", "elsewhere"]);
        let many = stub.open(many).await.unwrap_err();
        let rule = ("addresses".to_owned(), "repeated.max_items".to_owned());
        assert_eq!(named(&many), [rule]);
    }

    #[tokio::test]
    async fn what_is_valid_passes() {
        let server = serve().await.unwrap();
        let stub = stub(&server).unwrap();
        assert_eq!(stub.open(good()).await.unwrap().count, 1);
        let packed = stub.open(good()).compression(Compression::Gzip).await;
        assert_eq!(packed.unwrap().count, 1);
        let mut each = stub.each(good()).start();
        assert_eq!(each.next().await.unwrap().unwrap().count, 1);
        assert!(each.next().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn each_message_of_a_stream_is_judged() {
        let server = serve().await.unwrap();
        let stub = stub(&server).unwrap();
        for at in [None, Some(0), Some(7)] {
            let mut requests = stub.open_all().start();
            for number in 0..10 {
                let is_bad = at == Some(number);
                // It fails once the server has answered.
                let _ = requests.send(if is_bad { bad() } else { good() }).await;
            }
            match (requests.finish().await, at) {
                (Ok(opened), None) => assert_eq!(opened.count, 10),
                (Err(status), Some(_)) => assert_eq!(named(&status), all_that_is_bad()),
                (answer, at) => panic!("{answer:?} with the bad one at {at:?}"),
            }
        }
    }
}
