//! A service written by hand in the shape that the generator writes, so that the
//! runtime's own tests need no generator.

use std::sync::Arc;

use grpc_runtime::codegen::{Answer, unimplemented};
use grpc_runtime::{
    BidiStreamingCall, Channel, ClientStreamingCall, Context, Method, Receiver, Sender,
    ServerStreamingCall, Service, Shape, UnaryCall,
};

/// One message for both directions.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Echo {
    #[prost(string, tag = "1")]
    pub(crate) text: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) data: Vec<u8>,
    #[prost(int64, tag = "3")]
    pub(crate) number: i64,
}

impl Echo {
    pub(crate) fn text(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            ..Self::default()
        }
    }

    pub(crate) fn number(number: i64) -> Self {
        Self {
            number,
            ..Self::default()
        }
    }

    pub(crate) fn data(length: usize) -> Self {
        Self {
            data: vec![7; length],
            ..Self::default()
        }
    }
}

pub(crate) const NAME: &str = "test.Echo";
pub(crate) const UNARY: Method = Method::new("/test.Echo/Unary", Shape::UNARY);
pub(crate) const EXPAND: Method = Method::new("/test.Echo/Expand", Shape::SERVER_STREAMING);
pub(crate) const COLLECT: Method = Method::new("/test.Echo/Collect", Shape::CLIENT_STREAMING);
pub(crate) const CHAT: Method = Method::new("/test.Echo/Chat", Shape::BIDI_STREAMING);
pub(crate) const MISSING: Method = Method::new("/test.Echo/Missing", Shape::UNARY);
pub(crate) const ELSEWHERE: Method = Method::new("/test.Elsewhere/Unary", Shape::UNARY);

#[derive(Clone, Debug)]
pub(crate) struct EchoStub(pub Channel);

#[expect(clippy::needless_pass_by_value, reason = "as in generated stubs")]
impl EchoStub {
    pub(crate) fn unary(&self, request: Echo) -> UnaryCall<Echo> {
        UnaryCall::new(&self.0, UNARY, &request)
    }

    pub(crate) fn call(&self, method: Method, request: Echo) -> UnaryCall<Echo> {
        UnaryCall::new(&self.0, method, &request)
    }

    pub(crate) fn expand(&self, request: Echo) -> ServerStreamingCall<Echo> {
        ServerStreamingCall::new(&self.0, EXPAND, &request)
    }

    pub(crate) fn collect(&self) -> ClientStreamingCall<Echo, Echo> {
        ClientStreamingCall::new(&self.0, COLLECT)
    }

    pub(crate) fn chat(&self) -> BidiStreamingCall<Echo, Echo> {
        BidiStreamingCall::new(&self.0, CHAT)
    }
}

#[expect(unused_variables, reason = "as in generated servicers")]
pub(crate) trait EchoServicer: Send + Sync + 'static {
    fn unary(&self, request: Echo, context: &mut Context) -> impl Answer<Echo> {
        unimplemented(UNARY)
    }

    fn expand(
        &self,
        request: Echo,
        replies: &mut Sender<Echo>,
        context: &mut Context,
    ) -> impl Answer<()> {
        unimplemented(EXPAND)
    }

    fn collect(&self, requests: &mut Receiver<Echo>, context: &mut Context) -> impl Answer<Echo> {
        unimplemented(COLLECT)
    }

    fn chat(
        &self,
        requests: &mut Receiver<Echo>,
        replies: &mut Sender<Echo>,
        context: &mut Context,
    ) -> impl Answer<()> {
        unimplemented(CHAT)
    }
}

pub(crate) fn service<S: EchoServicer>(servicer: S) -> Service {
    Service::builder(NAME, Arc::new(servicer))
        .unary(UNARY, S::unary)
        .server_streaming(EXPAND, S::expand)
        .client_streaming(COLLECT, S::collect)
        .bidi_streaming(CHAT, S::chat)
        .build()
}
