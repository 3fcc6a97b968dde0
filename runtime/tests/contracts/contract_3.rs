// As protoc-gen-rust-grpc 0.1.0 generated it for contract 3. It stays as it is while the
// runtime serves that contract.

#[allow(clippy::all, clippy::nursery, clippy::pedantic)]
#[allow(dead_code, missing_docs, unreachable_pub)]
#[derive(Clone, PartialEq, Eq, Hash, ::grpc_runtime::prost::Message)]
#[prost(prost_path = "::grpc_runtime::prost")]
pub struct HelloRequest {
    #[prost(string, tag = "1")]
    pub greeting: ::grpc_runtime::prost::alloc::string::String,
}

/// What is said back.
#[allow(clippy::all, clippy::nursery, clippy::pedantic)]
#[allow(dead_code, missing_docs, unreachable_pub)]
#[derive(Clone, PartialEq, Eq, Hash, ::grpc_runtime::prost::Message)]
#[prost(prost_path = "::grpc_runtime::prost")]
pub struct HelloResponse {
    /// The reply itself.
    #[prost(string, tag = "1")]
    pub reply: ::grpc_runtime::prost::alloc::string::String,
}

const _: () = ::grpc_runtime::codegen::check_contract(3, "0.1.0");

/// The methods of `example.HelloService`.
#[allow(clippy::all, clippy::nursery, clippy::pedantic)]
#[allow(dead_code, unreachable_pub)]
pub mod hello_service {
    use ::grpc_runtime::Method;
    /// The full name of the service, as it stands in every request's path.
    pub const NAME: &str = "example.HelloService";
    /// `/example.HelloService/SayHello`
    pub const SAY_HELLO: Method = Method::unary("/example.HelloService/SayHello")
        .idempotent();
    /// `/example.HelloService/LotsOfReplies`
    pub const LOTS_OF_REPLIES: Method = Method::server_streaming(
            "/example.HelloService/LotsOfReplies",
        )
        .idempotent();
    /// `/example.HelloService/LotsOfGreetings`
    pub const LOTS_OF_GREETINGS: Method = Method::client_streaming(
        "/example.HelloService/LotsOfGreetings",
    );
    /// `/example.HelloService/BidiHello`
    pub const BIDI_HELLO: Method = Method::bidi_streaming(
        "/example.HelloService/BidiHello",
    );
}

/// Says hello, in each of the four ways.
#[allow(clippy::all, clippy::nursery, clippy::pedantic)]
#[allow(dead_code, unreachable_pub)]
#[derive(Clone, Debug)]
pub struct HelloServiceStub {
    channel: ::grpc_runtime::Channel,
}

#[allow(clippy::all, clippy::nursery, clippy::pedantic)]
#[allow(dead_code, unreachable_pub)]
impl HelloServiceStub {
    /// A stub that makes its calls over `channel`.
    pub fn new(channel: ::grpc_runtime::Channel) -> Self {
        Self { channel }
    }
    /// One greeting, one reply.
    pub fn say_hello(
        &self,
        request: HelloRequest,
    ) -> ::grpc_runtime::UnaryCall<HelloResponse> {
        ::grpc_runtime::UnaryCall::new(&self.channel, hello_service::SAY_HELLO, &request)
    }
    /// Calls `/example.HelloService/LotsOfReplies`.
    pub fn lots_of_replies(
        &self,
        request: HelloRequest,
    ) -> ::grpc_runtime::ServerStreamingCall<HelloResponse> {
        ::grpc_runtime::ServerStreamingCall::new(
            &self.channel,
            hello_service::LOTS_OF_REPLIES,
            &request,
        )
    }
    /// Calls `/example.HelloService/LotsOfGreetings`.
    pub fn lots_of_greetings(
        &self,
    ) -> ::grpc_runtime::ClientStreamingCall<HelloRequest, HelloResponse> {
        ::grpc_runtime::ClientStreamingCall::new(
            &self.channel,
            hello_service::LOTS_OF_GREETINGS,
        )
    }
    /// Calls `/example.HelloService/BidiHello`.
    pub fn bidi_hello(
        &self,
    ) -> ::grpc_runtime::BidiStreamingCall<HelloRequest, HelloResponse> {
        ::grpc_runtime::BidiStreamingCall::new(&self.channel, hello_service::BIDI_HELLO)
    }
}

/// Says hello, in each of the four ways.
#[allow(clippy::all, clippy::nursery, clippy::pedantic)]
#[allow(dead_code, unreachable_pub)]
#[allow(unused_variables)]
pub trait HelloServiceServicer: ::core::marker::Send + ::core::marker::Sync + 'static {
    /// One greeting, one reply.
    fn say_hello(
        &self,
        request: HelloRequest,
        context: &mut ::grpc_runtime::Context,
    ) -> impl ::grpc_runtime::codegen::Answer<HelloResponse> {
        ::grpc_runtime::codegen::unimplemented(hello_service::SAY_HELLO)
    }
    /// Answers `/example.HelloService/LotsOfReplies`.
    fn lots_of_replies(
        &self,
        request: HelloRequest,
        replies: &mut ::grpc_runtime::Sender<HelloResponse>,
        context: &mut ::grpc_runtime::Context,
    ) -> impl ::grpc_runtime::codegen::Answer<()> {
        ::grpc_runtime::codegen::unimplemented(hello_service::LOTS_OF_REPLIES)
    }
    /// Answers `/example.HelloService/LotsOfGreetings`.
    fn lots_of_greetings(
        &self,
        requests: &mut ::grpc_runtime::Receiver<HelloRequest>,
        context: &mut ::grpc_runtime::Context,
    ) -> impl ::grpc_runtime::codegen::Answer<HelloResponse> {
        ::grpc_runtime::codegen::unimplemented(hello_service::LOTS_OF_GREETINGS)
    }
    /// Answers `/example.HelloService/BidiHello`.
    fn bidi_hello(
        &self,
        requests: &mut ::grpc_runtime::Receiver<HelloRequest>,
        replies: &mut ::grpc_runtime::Sender<HelloResponse>,
        context: &mut ::grpc_runtime::Context,
    ) -> impl ::grpc_runtime::codegen::Answer<()> {
        ::grpc_runtime::codegen::unimplemented(hello_service::BIDI_HELLO)
    }
}

/// Serves a [`HelloServiceServicer`].
#[allow(clippy::all, clippy::nursery, clippy::pedantic)]
#[allow(dead_code, unreachable_pub)]
#[derive(Clone, Debug)]
pub struct HelloServiceServer(::grpc_runtime::Service);

#[allow(clippy::all, clippy::nursery, clippy::pedantic)]
#[allow(dead_code, unreachable_pub)]
impl HelloServiceServer {
    /// Serves what `servicer` answers.
    pub fn new<S: HelloServiceServicer>(servicer: S) -> Self {
        Self::from_arc(::std::sync::Arc::new(servicer))
    }
    /// Serves what `servicer` answers, which the caller may keep a handle on.
    pub fn from_arc<S: HelloServiceServicer>(servicer: ::std::sync::Arc<S>) -> Self {
        Self(
            ::grpc_runtime::Service::builder(hello_service::NAME, servicer)
                .unary(hello_service::SAY_HELLO, S::say_hello)
                .server_streaming(hello_service::LOTS_OF_REPLIES, S::lots_of_replies)
                .client_streaming(hello_service::LOTS_OF_GREETINGS, S::lots_of_greetings)
                .bidi_streaming(hello_service::BIDI_HELLO, S::bidi_hello)
                .build(),
        )
    }
}

impl ::core::convert::From<HelloServiceServer> for ::grpc_runtime::Service {
    fn from(server: HelloServiceServer) -> Self {
        server.0
    }
}
