//! `grpc.channelz.v1.Channelz` over the servers and channels of a registry (gRFC A14). It
//! counts nothing itself.

mod messages;
mod page;

use grpc_runtime::{
    ChannelSnapshot, ChannelzRegistry, Context, ServerSnapshot, Service, SocketSnapshot, Status,
    SubchannelSnapshot,
};

use self::page::Page;
use crate::proto::grpc::channelz::v1::{
    ChannelzServer, ChannelzServicer, GetChannelRequest, GetChannelResponse, GetServerRequest,
    GetServerResponse, GetServerSocketsRequest, GetServerSocketsResponse, GetServersRequest,
    GetServersResponse, GetSocketRequest, GetSocketResponse, GetSubchannelRequest,
    GetSubchannelResponse, GetTopChannelsRequest, GetTopChannelsResponse,
};

/// The service by which tools look at the servers, channels and connections of a program:
/// `grpc.channelz.v1.Channelz` (gRFC A14), of those that are in a
/// [`ChannelzRegistry`].
///
/// An id that nothing has, or has any more, is `NOT_FOUND`. Lists are in the order of ids;
/// a page has 100 entries unless the request wants fewer, and begins with the id that the
/// request says, be there something with that id or not.
///
/// Its callers see the addresses of clients and servers: on a server that is open to the
/// internet add an interceptor that authorizes callers
/// ([`Service::interceptor`](grpc_runtime::Service::interceptor)), or put it on a separate
/// server.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use grpc_runtime::{ChannelzRegistry, Server};
/// use grpc_services::Channelz;
///
/// let registry = ChannelzRegistry::new();
/// let server = Server::builder()
///     .channelz(&registry)
///     .add_service(Channelz::new(&registry))
///     .listen("127.0.0.1:0")
///     .start()
///     .await?;
/// // Channels of the program are shown too where they are built with
/// // `ChannelBuilder::channelz(&registry)`.
/// # drop(server);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Channelz {
    registry: ChannelzRegistry,
}

impl Channelz {
    /// Shows the servers and channels that are in `registry` at the time of each call.
    pub fn new(registry: &ChannelzRegistry) -> Self {
        Self {
            registry: registry.clone(),
        }
    }

    fn server(&self, id: i64) -> Result<ServerSnapshot, Status> {
        let mut servers = self.registry.servers().into_iter();
        servers
            .find(|server| is(server.id(), id))
            .ok_or_else(|| nothing("server", id))
    }

    fn subchannel(&self, id: i64) -> Option<SubchannelSnapshot> {
        let channels = self.registry.channels();
        let mut subchannels = channels.iter().flat_map(ChannelSnapshot::subchannels);
        subchannels.find(|it| is(it.id(), id)).cloned()
    }

    fn socket(&self, id: i64) -> Option<SocketSnapshot> {
        let found = |sockets: &[SocketSnapshot]| {
            let mut sockets = sockets.iter();
            sockets.find(|socket| is(socket.id(), id)).cloned()
        };
        let servers = self.registry.servers();
        let of_servers = servers.iter().find_map(|server| found(server.sockets()));
        of_servers.or_else(|| {
            let channels = self.registry.channels();
            let mut subchannels = channels.iter().flat_map(ChannelSnapshot::subchannels);
            subchannels.find_map(|subchannel| found(subchannel.sockets()))
        })
    }
}

impl From<Channelz> for Service {
    fn from(channelz: Channelz) -> Self {
        ChannelzServer::new(channelz).into()
    }
}

/// Ids on the wire are signed.
fn is(own: u64, asked: i64) -> bool {
    u64::try_from(asked) == Ok(own)
}

fn nothing(kind: &str, id: i64) -> Status {
    Status::not_found(format!("there is no {kind} of the id {id}, or no more"))
}

impl ChannelzServicer for Channelz {
    async fn get_top_channels(
        &self,
        request: GetTopChannelsRequest,
        _context: &mut Context,
    ) -> Result<GetTopChannelsResponse, Status> {
        let page = Page::new(request.start_channel_id, request.max_results);
        let (channels, end) = page.of(self.registry.channels(), ChannelSnapshot::id);
        Ok(GetTopChannelsResponse {
            channel: channels.iter().map(messages::channel).collect(),
            end,
        })
    }

    async fn get_servers(
        &self,
        request: GetServersRequest,
        _context: &mut Context,
    ) -> Result<GetServersResponse, Status> {
        let page = Page::new(request.start_server_id, request.max_results);
        let (servers, end) = page.of(self.registry.servers(), ServerSnapshot::id);
        Ok(GetServersResponse {
            server: servers.iter().map(messages::server).collect(),
            end,
        })
    }

    async fn get_server(
        &self,
        request: GetServerRequest,
        _context: &mut Context,
    ) -> Result<GetServerResponse, Status> {
        let server = self.server(request.server_id)?;
        Ok(GetServerResponse {
            server: Some(messages::server(&server)),
        })
    }

    async fn get_server_sockets(
        &self,
        request: GetServerSocketsRequest,
        _context: &mut Context,
    ) -> Result<GetServerSocketsResponse, Status> {
        let server = self.server(request.server_id)?;
        let page = Page::new(request.start_socket_id, request.max_results);
        let (sockets, end) = page.of(server.sockets(), |socket| socket.id());
        Ok(GetServerSocketsResponse {
            socket_ref: sockets.into_iter().map(messages::socket_ref).collect(),
            end,
        })
    }

    async fn get_channel(
        &self,
        request: GetChannelRequest,
        _context: &mut Context,
    ) -> Result<GetChannelResponse, Status> {
        let id = request.channel_id;
        let mut channels = self.registry.channels().into_iter();
        let channel = channels.find(|channel| is(channel.id(), id));
        let channel = channel.ok_or_else(|| nothing("channel", id))?;
        Ok(GetChannelResponse {
            channel: Some(messages::channel(&channel)),
        })
    }

    async fn get_subchannel(
        &self,
        request: GetSubchannelRequest,
        _context: &mut Context,
    ) -> Result<GetSubchannelResponse, Status> {
        let id = request.subchannel_id;
        let subchannel = self.subchannel(id);
        let subchannel = subchannel.ok_or_else(|| nothing("subchannel", id))?;
        Ok(GetSubchannelResponse {
            subchannel: Some(messages::subchannel(&subchannel)),
        })
    }

    async fn get_socket(
        &self,
        request: GetSocketRequest,
        _context: &mut Context,
    ) -> Result<GetSocketResponse, Status> {
        let id = request.socket_id;
        let listener = || {
            let servers = self.registry.servers();
            let mut listeners = servers.iter().flat_map(ServerSnapshot::listeners);
            let listener = listeners.find(|listener| is(listener.id(), id));
            listener.map(messages::listener)
        };
        let socket = self.socket(id).as_ref().map(messages::socket);
        let socket = socket.or_else(listener);
        Ok(GetSocketResponse {
            socket: Some(socket.ok_or_else(|| nothing("socket", id))?),
        })
    }
}
