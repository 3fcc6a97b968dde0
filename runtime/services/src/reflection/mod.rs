//! `grpc.reflection.v1` and `v1alpha` over descriptor sets, which are sent as they were given.

mod conversation;
mod declared;
mod descriptions;
mod error;
mod file_set;

use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use grpc_runtime::{Context, Receiver, Sender, ServedServices, Service, Status};

use self::conversation::Conversation;
use self::descriptions::Descriptions;
pub use self::error::ReflectionError;
use crate::draining;
use crate::proto::grpc::reflection::v1::{ServerReflectionRequest, ServerReflectionResponse};
use crate::proto::grpc::reflection::{v1, v1alpha};

/// gRPC's server reflection, by which grpcurl, grpcui, buf curl, Postman and others find
/// out what a server has: `grpc.reflection.v1.ServerReflection`, and the same as
/// `v1alpha`, which some tools know alone.
///
/// It lists the services that its server has, and describes what is in the descriptor sets
/// that it was given: each package's `FILE_DESCRIPTOR_SET`, which the generator adds with
/// the option `file_descriptor_set`, or what
/// `protoc --include_imports --descriptor_set_out`
/// writes. Files are handed on byte by byte, so custom options and
/// what newer editions bring arrive as they were. The services of this crate and the standard
/// [details of errors](grpc_runtime::rpc) are described without being given, and so are
/// well-known types that a set imports and leaves out.
///
/// A stream ends when its server's [grace](grpc_runtime::Server::shutdown) begins.
///
/// A service that the server has and no set describes is listed all the same; asked for it,
/// the server says what is wrong. Whoever may call the service learns of everything in the
/// sets: put an [interceptor](grpc_runtime::Service::interceptor) around it where that is
/// not for all.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # mod shop {
/// #     pub use grpc_services::proto::grpc::health::v1::FILE_DESCRIPTOR_SET;
/// # }
/// use grpc_runtime::Server;
/// use grpc_services::Reflection;
///
/// let reflection = Reflection::new([shop::FILE_DESCRIPTOR_SET])?;
/// let server = Server::builder().add_services(reflection.services());
/// # drop(server);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Reflection(Arc<Descriptions>);

impl Reflection {
    /// Describes what is in these sets; a set may be empty. Files that several sets have
    /// are taken once. Of those of `google/protobuf/`, which compilers bring in different
    /// versions, the longest counts.
    ///
    /// # Errors
    /// Fails on bytes that are not a descriptor set; on two files of one name that differ;
    /// on a name, or a number of an extension, that is declared twice; on an import that is
    /// in no set and is not a well-known type. The error names the file or item.
    pub fn new<S: Into<Bytes>>(sets: impl IntoIterator<Item = S>) -> Result<Self, ReflectionError> {
        let sets = sets.into_iter().map(Into::into);
        Ok(Self(Arc::new(Descriptions::new(sets)?)))
    }

    /// Both versions, for
    /// [`ServerBuilder::add_services`](grpc_runtime::ServerBuilder::add_services).
    pub fn services(&self) -> [Service; 2] {
        [self.v1(), self.v1alpha()]
    }

    /// `grpc.reflection.v1.ServerReflection` alone.
    pub fn v1(&self) -> Service {
        let service = v1::ServerReflectionServer::new(self.clone());
        Service::from(service).told_of_services()
    }

    /// `grpc.reflection.v1alpha.ServerReflection` alone.
    pub fn v1alpha(&self) -> Service {
        let service = v1alpha::ServerReflectionServer::new(self.clone());
        Service::from(service).told_of_services()
    }

    async fn converse(
        &self,
        requests: &mut Receiver<ServerReflectionRequest>,
        replies: &mut Sender<ServerReflectionResponse>,
        context: &Context,
    ) -> Result<(), Status> {
        let served = context
            .extensions()
            .get()
            .map_or(&[][..], ServedServices::names);
        let mut conversation = Conversation::new(Arc::clone(&self.0), served);
        let mut draining = pin!(context.draining());
        while let Some(request) = draining::unless(draining.as_mut(), requests.next()).await?? {
            let answer = conversation.answer(request)?;
            draining::send_unless(draining.as_mut(), replies.send(answer)).await?;
        }
        Ok(())
    }
}

impl v1::ServerReflectionServicer for Reflection {
    async fn server_reflection_info(
        &self,
        requests: &mut Receiver<ServerReflectionRequest>,
        replies: &mut Sender<ServerReflectionResponse>,
        context: &mut Context,
    ) -> Result<(), Status> {
        self.converse(requests, replies, context).await
    }
}

impl v1alpha::ServerReflectionServicer for Reflection {
    async fn server_reflection_info(
        &self,
        requests: &mut Receiver<ServerReflectionRequest>,
        replies: &mut Sender<ServerReflectionResponse>,
        context: &mut Context,
    ) -> Result<(), Status> {
        self.converse(requests, replies, context).await
    }
}
