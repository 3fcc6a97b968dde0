//! Code that was generated for each contract this runtime serves: it compiles, and
//! its calls work.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use grpc_runtime::codegen::{CONTRACT, OLDEST_CONTRACT};

/// A module of the code in `$file`, and the calls of it.
macro_rules! contract {
    ($module:ident, $file:literal, $are_idempotent:literal) => {
        mod $module {
            /// Not a `mod` of that file: it keeps its layout.
            mod generated {
                include!($file);
            }

            use generated::{
                HelloRequest, HelloResponse, HelloServiceServer, HelloServiceServicer,
                HelloServiceStub, hello_service,
            };
            use grpc_runtime::{Channel, Code, Context, Sender, Server, Status};

            struct Greeter;

            impl HelloServiceServicer for Greeter {
                async fn say_hello(
                    &self,
                    request: HelloRequest,
                    _: &mut Context,
                ) -> Result<HelloResponse, Status> {
                    Ok(HelloResponse {
                        reply: format!("Hello, {}!", request.greeting),
                    })
                }

                async fn lots_of_replies(
                    &self,
                    request: HelloRequest,
                    replies: &mut Sender<HelloResponse>,
                    _: &mut Context,
                ) -> Result<(), Status> {
                    let reply = request.greeting;
                    replies.send(HelloResponse { reply }).await
                }
            }

            #[tokio::test]
            async fn calls() {
                let server = Server::builder().add_service(HelloServiceServer::new(Greeter));
                let stub = HelloServiceStub::new(Channel::in_process(server).unwrap());
                let request = HelloRequest {
                    greeting: "you".to_owned(),
                };
                let reply = stub.say_hello(request.clone()).await.unwrap();
                assert_eq!(reply.reply, "Hello, you!");
                let mut replies = stub.lots_of_replies(request).start();
                assert_eq!(replies.next().await.unwrap().unwrap().reply, "you");
                assert!(replies.next().await.unwrap().is_none());
                // What the servicer leaves out is answered by the trait that was generated.
                let left_out = stub.lots_of_greetings().start().finish().await.unwrap_err();
                assert_eq!(left_out.code(), Code::Unimplemented);
                for (method, is_idempotent) in [
                    (hello_service::SAY_HELLO, $are_idempotent),
                    (hello_service::LOTS_OF_REPLIES, $are_idempotent),
                    (hello_service::BIDI_HELLO, false),
                ] {
                    assert_eq!(method.is_idempotent(), is_idempotent, "{method}");
                }
            }
        }
    };
}

contract!(contract_2, "contract_2.rs", false);
contract!(contract_3, "contract_3.rs", true);

#[test]
fn every_contract_that_is_served_has_its_code_here() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contracts");
    for contract in OLDEST_CONTRACT..=CONTRACT {
        let path = folder.join(format!("contract_{contract}.rs"));
        let text = std::fs::read_to_string(&path).unwrap();
        let stated = format!("::grpc_runtime::codegen::check_contract({contract}, ");
        assert!(text.contains(&stated), "{}", path.display());
    }
}
