//! A service: a servicer behind its methods' names, with its type erased. Each
//! shape is one thin generic function over one non-generic path.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;

use super::context::Context;
use super::error::ServerError;
use super::handler::{HandlerFuture, Input, Invocation, Route};
use super::interceptor::{ServerInterceptor, ServerInterceptors};
use super::servicer::{
    BidiStreamingMethod, ClientStreamingMethod, ServerStreamingMethod, UnaryMethod,
};
use crate::call::command::Finished;
use crate::call::receiver::Receiver;
use crate::call::response_head::Coding;
use crate::call::sender::Sender;
use crate::call::state::CallState;
use crate::call::validator::RequestJudge;
use crate::framing::{self, Compression, FramingError, Side};
use crate::limits::CallLimits;
use crate::method::{Method, Shape};
use crate::spare;
use crate::status::{Code, Status};

/// A service that a [`Server`](crate::Server) can offer. Generated
/// `…Server` types turn into one.
#[derive(Clone, Debug)]
pub struct Service {
    name: &'static str,
    routes: Arc<[Arc<Route>]>,
    /// The first method that was added as another shape than its own, and as which.
    misshapen: Option<(Method, Shape)>,
    compression: Option<Compression>,
    max_receive_message_size: Option<usize>,
    max_send_message_size: Option<usize>,
    interceptors: ServerInterceptors,
    is_told_of_services: bool,
    judge: Option<RequestJudge>,
}

impl Service {
    /// Begins a service called `name` (`package.Service`) over `servicer`. This
    /// is what generated code calls.
    pub fn builder<S>(name: &'static str, servicer: Arc<S>) -> ServiceBuilder<S> {
        ServiceBuilder {
            name,
            servicer,
            routes: Vec::new(),
            misshapen: None,
        }
    }

    /// The service's full name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Sets how the service's response messages are compressed, unless a call sets it.
    /// Default: the server's setting. A client that does not accept the encoding gets them
    /// uncompressed.
    ///
    /// ```
    /// use grpc_runtime::{Compression, Server, Service};
    ///
    /// fn serve_compressed(generated: impl Into<Service>) -> grpc_runtime::ServerBuilder {
    ///     let service: Service = generated.into();
    ///     Server::builder().add_service(service.compression(Compression::Gzip))
    /// }
    /// ```
    #[must_use]
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = Some(compression);
        self
    }

    /// Sets the largest request message that the service accepts, in bytes. Default: the
    /// server's limit. A larger one fails its call with `RESOURCE_EXHAUSTED`.
    ///
    /// ```
    /// use grpc_runtime::{Server, Service};
    ///
    /// fn serve_uploads(generated: impl Into<Service>) -> grpc_runtime::ServerBuilder {
    ///     let service: Service = generated.into();
    ///     Server::builder().add_service(service.max_receive_message_size(64 << 20))
    /// }
    /// ```
    #[must_use]
    pub fn max_receive_message_size(mut self, bytes: usize) -> Self {
        self.max_receive_message_size = Some(bytes);
        self
    }

    /// Sets the largest response message that the service sends, in bytes. Default: the
    /// server's limit. A larger one fails its call with `RESOURCE_EXHAUSTED`.
    #[must_use]
    pub fn max_send_message_size(mut self, bytes: usize) -> Self {
        self.max_send_message_size = Some(bytes);
        self
    }

    /// Puts an [interceptor](ServerInterceptor) around the service's handlers,
    /// inside of its server's and of those that were added before.
    ///
    /// ```
    /// use grpc_runtime::{Context, Server, Service, Status};
    ///
    /// fn local_only(context: &mut Context) -> Result<(), Status> {
    ///     match context.peer() {
    ///         grpc_runtime::PeerAddress::Tcp(address) if !address.ip().is_loopback() => {
    ///             Err(Status::permission_denied("from this machine only"))
    ///         }
    ///         _ => Ok(()),
    ///     }
    /// }
    ///
    /// fn serve_admin(generated: impl Into<Service>) -> grpc_runtime::ServerBuilder {
    ///     let service: Service = generated.into();
    ///     Server::builder().add_service(service.interceptor(local_only))
    /// }
    /// ```
    #[must_use]
    pub fn interceptor(mut self, interceptor: impl ServerInterceptor) -> Self {
        self.interceptors.push(interceptor);
        self
    }

    /// Tells the service's handlers which services their server has, this one among them:
    /// each call has [`ServedServices`](crate::ServedServices) among its
    /// [extensions](Context::extensions). For services that tell others of it, as
    /// reflection does.
    ///
    /// ```
    /// use grpc_runtime::{Context, ServedServices, Server, Service};
    ///
    /// fn serve_directory(generated: impl Into<Service>) -> grpc_runtime::ServerBuilder {
    ///     let service: Service = generated.into();
    ///     Server::builder().add_service(service.told_of_services())
    /// }
    ///
    /// /// What a handler of that service does.
    /// fn list(context: &Context) -> Vec<String> {
    ///     let served = context.extensions().get::<ServedServices>();
    ///     let names = served.map_or(&[][..], ServedServices::names);
    ///     names.iter().map(|name| (*name).to_owned()).collect()
    /// }
    /// ```
    #[must_use]
    pub fn told_of_services(mut self) -> Self {
        self.is_told_of_services = true;
        self
    }

    /// Validates each request message before the service's methods see it; those of a stream
    /// when the method asks for them. `judge` gets the method and the message's bytes,
    /// decompressed and in one piece, after they were decoded successfully as the method's
    /// message. For rules that stand in a `.proto` beside the fields (protovalidate's
    /// `buf.validate`), which a crate reads off the descriptors: the package
    /// `examples/validated` runs them, and answers `INVALID_ARGUMENT` with
    /// [`BadRequest`](crate::rpc::BadRequest). Rules by hand are a `match` on the method's
    /// path that decodes the message itself.
    ///
    /// A [`Status`] that it returns for a message becomes the call's answer. A unary or
    /// server-streaming method is not called then; a method that takes a stream gets the
    /// status from [`Receiver::next`](crate::Receiver::next), and passes it on by `?`.
    ///
    /// It runs inside of the [interceptors](Self::interceptor), so only messages of admitted
    /// callers are validated. It runs on the thread of the call: it must not block. A
    /// service has one validator; a second call replaces the first. Services without one
    /// have no cost; a validator usually decodes each message once more. A panic in it ends
    /// the call with `INTERNAL`, as a panic of the handler does.
    ///
    /// ```
    /// use grpc_runtime::prost::Message;
    /// use grpc_runtime::rpc::{BadRequest, bad_request::FieldViolation};
    /// use grpc_runtime::{Method, Server, Service, Status};
    ///
    /// # #[derive(Clone, PartialEq, Message)]
    /// # struct HelloRequest {
    /// #     #[prost(string, tag = "1")]
    /// #     greeting: String,
    /// # }
    /// fn judge(method: Method, message: &[u8]) -> Result<(), Status> {
    ///     if method.path() != "/example.HelloService/SayHello" {
    ///         return Ok(());
    ///     }
    ///     match HelloRequest::decode(message) {
    ///         Ok(request) if request.greeting.is_empty() => {
    ///             let violation = FieldViolation::new("greeting", "must not be empty");
    ///             let details = BadRequest::new([violation]);
    ///             Err(Status::invalid_argument("no greeting").with_detail(&details))
    ///         }
    ///         _ => Ok(()),
    ///     }
    /// }
    ///
    /// fn serve(generated: impl Into<Service>) -> grpc_runtime::ServerBuilder {
    ///     let service: Service = generated.into();
    ///     Server::builder().add_service(service.validate_requests(judge))
    /// }
    /// ```
    #[must_use]
    pub fn validate_requests(
        mut self,
        judge: impl Fn(Method, &[u8]) -> Result<(), Status> + Send + Sync + 'static,
    ) -> Self {
        self.judge = Some(RequestJudge::new(judge));
        self
    }

    /// Fails where a method was added as another shape than its own: its handler would wait
    /// for messages that the connection keeps for itself.
    pub(super) fn check(&self) -> Result<(), ServerError> {
        match self.misshapen {
            Some((method, added_as)) => Err(ServerError::MethodShape { method, added_as }),
            None => Ok(()),
        }
    }

    pub(super) fn judge(&self) -> Option<&RequestJudge> {
        self.judge.as_ref()
    }

    pub(super) fn is_told_of_services(&self) -> bool {
        self.is_told_of_services
    }

    pub(super) fn interceptors(&self) -> &ServerInterceptors {
        &self.interceptors
    }

    /// The service's limits at a server that has these.
    pub(super) fn limits(&self, server: CallLimits) -> CallLimits {
        let receive = self.max_receive_message_size;
        let send = self.max_send_message_size;
        CallLimits {
            max_receive_message_size: receive.unwrap_or(server.max_receive_message_size),
            max_send_message_size: send.unwrap_or(server.max_send_message_size),
        }
    }

    pub(crate) fn own_compression(&self) -> Option<Compression> {
        self.compression
    }

    pub(crate) fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }
}

/// Collects the methods of a [`Service`].
///
/// Each method is added by the function for its [`Shape`]. If the shapes differ, the
/// [start](crate::ServerBuilder::start) of a server with the service fails with
/// [`ServerError::MethodShape`](crate::ServerError::MethodShape).
#[derive(Debug)]
pub struct ServiceBuilder<S> {
    name: &'static str,
    servicer: Arc<S>,
    routes: Vec<Arc<Route>>,
    misshapen: Option<(Method, Shape)>,
}

impl<S: Send + Sync + 'static> ServiceBuilder<S> {
    /// Adds a method that takes one message and answers with one.
    #[must_use]
    pub fn unary<Q, R, M>(self, method: Method, answer: M) -> Self
    where
        Q: Message + Default + 'static,
        R: Message + 'static,
        M: for<'a> UnaryMethod<'a, S, Q, R>,
    {
        let servicer = Arc::clone(&self.servicer);
        self.route(method, Shape::UNARY, move |mut invocation| {
            let limit = invocation.input.limits.max_send_message_size;
            let request: Q = match request(&mut invocation.input) {
                Ok(request) => request,
                Err(status) => return refused(status, invocation.context),
            };
            let (servicer, mut context) = (Arc::clone(&servicer), invocation.context);
            Box::pin(async move {
                let result = answer(&servicer, request, &mut context).await;
                finished_with(result, context, limit)
            })
        })
    }

    /// Adds a method that takes one message and answers with a stream.
    #[must_use]
    pub fn server_streaming<Q, R, M>(self, method: Method, answer: M) -> Self
    where
        Q: Message + Default + 'static,
        R: Message + 'static,
        M: for<'a> ServerStreamingMethod<'a, S, Q, R>,
    {
        let servicer = Arc::clone(&self.servicer);
        self.route(method, Shape::SERVER_STREAMING, move |mut invocation| {
            let mut sender = sender(&invocation.input);
            let request: Q = match request(&mut invocation.input) {
                Ok(request) => request,
                Err(status) => return refused(status, invocation.context),
            };
            let (servicer, mut context) = (Arc::clone(&servicer), invocation.context);
            Box::pin(async move {
                let result = answer(&servicer, request, &mut sender, &mut context).await;
                finished(result, context)
            })
        })
    }

    /// Adds a method that takes a stream and answers with one message.
    #[must_use]
    pub fn client_streaming<Q, R, M>(self, method: Method, answer: M) -> Self
    where
        Q: Message + Default + 'static,
        R: Message + 'static,
        M: for<'a> ClientStreamingMethod<'a, S, Q, R>,
    {
        let servicer = Arc::clone(&self.servicer);
        self.route(method, Shape::CLIENT_STREAMING, move |invocation| {
            let limit = invocation.input.limits.max_send_message_size;
            let mut receiver = receiver(&invocation.input);
            let (servicer, mut context) = (Arc::clone(&servicer), invocation.context);
            Box::pin(async move {
                let result = answer(&servicer, &mut receiver, &mut context).await;
                finished_with(result, context, limit)
            })
        })
    }

    /// Adds a method with a stream each way.
    #[must_use]
    pub fn bidi_streaming<Q, R, M>(self, method: Method, answer: M) -> Self
    where
        Q: Message + Default + 'static,
        R: Message + 'static,
        M: for<'a> BidiStreamingMethod<'a, S, Q, R>,
    {
        let servicer = Arc::clone(&self.servicer);
        self.route(method, Shape::BIDI_STREAMING, move |invocation| {
            let mut receiver = receiver(&invocation.input);
            let mut sender = sender(&invocation.input);
            let (servicer, mut context) = (Arc::clone(&servicer), invocation.context);
            Box::pin(async move {
                let result = answer(&servicer, &mut receiver, &mut sender, &mut context).await;
                finished(result, context)
            })
        })
    }

    /// The finished service.
    pub fn build(self) -> Service {
        Service {
            name: self.name,
            routes: self.routes.into(),
            misshapen: self.misshapen,
            compression: None,
            max_receive_message_size: None,
            max_send_message_size: None,
            interceptors: ServerInterceptors::default(),
            is_told_of_services: false,
            judge: None,
        }
    }

    fn route(
        mut self,
        method: Method,
        shape: Shape,
        handler: impl Fn(Invocation) -> HandlerFuture + Send + Sync + 'static,
    ) -> Self {
        if method.shape() != shape {
            self.misshapen.get_or_insert((method, shape));
        }
        self.routes
            .push(Arc::new(Route::new(method, Box::new(handler))));
        self
    }
}

/// The one message of a request.
#[inline]
fn request<Q: Message + Default>(input: &mut Input) -> Result<Q, Status> {
    let Some(message) = input.message.take() else {
        let text = "the request holds no message";
        return Err(Status::new(Code::Unimplemented, text));
    };
    let wire_size = message.len();
    let (message, size) = match &input.validator {
        None => framing::decode_message(message).map_err(|error| error.into_status(Side::Server)),
        Some(validator) => validator.decode(message),
    }?;
    if let Some(ledger) = &input.ledger {
        ledger.count_received_one(size, wire_size);
    }
    Ok(message)
}

/// The end of a call whose handler was not even asked.
fn refused(status: Status, context: Context) -> HandlerFuture {
    Box::pin(std::future::ready(finished(Err(status), context)))
}

fn sender<R: Message>(input: &Input) -> Sender<R> {
    Sender::new(
        state(input),
        input.limits.max_send_message_size,
        Side::Server,
    )
}

fn receiver<Q: Message + Default>(input: &Input) -> Receiver<Q> {
    let limit = input.limits.max_receive_message_size;
    Receiver::new(state(input), limit, Side::Server).validated_by(input.validator.clone())
}

/// A streaming method always has its state; one without it could only wait, so
/// it gets an empty one.
fn state(input: &Input) -> Arc<CallState> {
    input
        .state
        .clone()
        .unwrap_or_else(|| CallState::new(0, Coding::default(), Compression::Identity, None))
}

fn finished(result: Result<(), Status>, context: Context) -> Finished {
    Finished {
        result,
        message: None,
        envelope: Some(context.into_envelope()),
    }
}

fn finished_with<R: Message>(
    result: Result<R, Status>,
    mut context: Context,
    limit: usize,
) -> Finished {
    let encoded = result.and_then(|message| {
        encode(&message, limit, &mut context).map_err(|error| error.into_status(Side::Server))
    });
    let (result, message) = match encoded {
        Ok(message) => (Ok(()), Some(message)),
        Err(status) => (Err(status), None),
    };
    Finished {
        result,
        message,
        envelope: Some(context.into_envelope()),
    }
}

/// The one message of a response, with its prefix.
fn encode<R: Message>(
    message: &R,
    limit: usize,
    context: &mut Context,
) -> Result<Bytes, FramingError> {
    let encoding = context.encoding();
    if !encoding.is_identity() {
        let (compressed, plain) = framing::compress_message(message, limit, encoding)?;
        context.compressed_from(plain);
        return Ok(compressed);
    }
    let length = framing::framed_len(message, limit)?;
    let mut buffer = spare::take(length);
    framing::put_message(message, length, &mut buffer);
    Ok(buffer.freeze())
}
