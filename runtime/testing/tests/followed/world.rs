//! The servers and channels whose calls are followed, and who writes down what is heard.

use std::future::pending;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use grpc_runtime::{
    BegunAttempt, BegunCall, CallObserver, Channel, ChannelBuilder, ChannelCredentials, Context,
    EndedAttempt, EndedCall, Metadata, Method, ObservedMessage, Observer, PanickedHandler,
    Receiver, Sender, Server, ServerBuilder, Service, Side, Status, UnaryCall,
};
use grpc_testing::{Host, Network, Reply, no_leftovers};

pub(crate) const GET: Method = Method::unary("/shop.Orders/Get");
pub(crate) const CHAT: Method = Method::bidi_streaming("/shop.Orders/Chat");

pub(crate) const MS: Duration = Duration::from_millis(1);

/// Writes down all that it hears of calls, in a line each.
#[derive(Clone, Default)]
pub(crate) struct Writes(Arc<Mutex<Vec<String>>>);

impl Writes {
    pub(crate) fn push(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn starting(&self, text: &str) -> Vec<String> {
        let mut lines = self.lines();
        lines.retain(|line| line.starts_with(text));
        lines
    }
}

impl Observer for Writes {
    fn call_begun(&self, call: &BegunCall<'_>) -> Option<Box<dyn CallObserver>> {
        let (path, target) = (call.method().path(), call.target().unwrap_or("-"));
        let user = call.metadata().get("x-user").unwrap_or("-");
        let peer = call.peer().map_or("-".to_owned(), ToString::to_string);
        let time = call.deadline().is_some();
        self.push(format!("begun {path} {target} {user} {peer} {time}"));
        assert_eq!(call.side() == Side::Client, call.target().is_some());
        Some(Box::new(Follows(self.clone())))
    }

    fn attempt_begun(&self, attempt: &BegunAttempt<'_>) {
        assert_eq!(attempt.target(), "passthrough:///shop");
        self.push(format!("observer: attempt {} begun", attempt.number()));
    }

    fn attempt_ended(&self, ended: &EndedAttempt<'_>) {
        let number = ended.attempt().number();
        self.push(format!("observer: attempt {number} {:?}", ended.code()));
    }

    fn handler_panicked(&self, panicked: &PanickedHandler<'_>) {
        let (path, text) = (panicked.method().path(), panicked.text());
        self.push(format!(
            "panicked {path} {text:?} {}",
            panicked.peer().is_some()
        ));
    }

    fn call_ended(&self, call: &EndedCall<'_>) {
        self.push(format!("observer: ended {:?}", call.code()));
    }
}

pub(crate) struct Follows(Writes);

impl CallObserver for Follows {
    fn name_resolved(&mut self, waited: Duration) {
        self.0.push(format!("resolved after {waited:?}"));
    }

    fn picked(&mut self, waited: Duration) {
        self.0.push(format!("picked after {waited:?}"));
    }

    fn attempt_begun(&mut self, attempt: &BegunAttempt<'_>) {
        let (number, previous) = (attempt.number(), attempt.previous());
        let kind = match (attempt.is_hedge(), attempt.is_transparent()) {
            (true, _) => " hedge",
            (_, true) => " transparent",
            _ => "",
        };
        self.0
            .push(format!("attempt {number} after {previous}{kind}"));
    }

    fn attempt_metadata(&mut self, number: u32, metadata: &mut Metadata) {
        metadata.append("x-trace", &number.to_string()).unwrap();
    }

    fn attempt_ended(&mut self, ended: &EndedAttempt<'_>) {
        let (number, code) = (ended.attempt().number(), ended.code());
        let peer = ended.peer().is_some();
        let (sent, received) = (ended.sent().messages, ended.received().messages);
        let elapsed = ended.elapsed();
        let line = format!("attempt {number} ended {code:?} {peer} {sent}/{received} {elapsed:?}");
        self.0.push(line);
    }

    fn head_sent(&mut self, metadata: &Metadata) {
        self.0
            .push(format!("head sent {:?}", metadata.get("x-head")));
    }

    fn head_received(&mut self, metadata: &Metadata) {
        self.0.push(format!("head {:?}", metadata.get("x-head")));
    }

    fn message_sent(&mut self, message: &ObservedMessage) {
        let (number, size) = (message.number(), message.size());
        let wire = message.wire_size();
        self.0.push(format!("sent {number}: {size} as {wire}"));
    }

    fn message_received(&mut self, message: &ObservedMessage) {
        let (number, size) = (message.number(), message.size());
        let wire = message.wire_size();
        self.0.push(format!("received {number}: {size} as {wire}"));
    }

    fn turn_began(&mut self) {
        self.0.push("turn");
    }

    fn turn_ended(&mut self) {
        self.0.push("turned");
    }

    fn ended(&mut self, call: &EndedCall<'_>) {
        let further = call.further_attempts();
        let counts = (further.retries, further.transparent_retries, further.hedges);
        self.0.push(format!(
            "ended {:?} {counts:?} {:?}",
            call.code(),
            further.delay
        ));
    }
}

pub(crate) struct Orders;

impl Orders {
    pub(crate) async fn get(&self, order: String, context: &mut Context) -> Result<String, Status> {
        context.set_initial_metadata(Metadata::from_pairs([("x-head", "1")])?)?;
        match order.as_str() {
            "panic" => panic!("this panic is part of a test"),
            "rest" => tokio::time::sleep(5 * MS).await,
            "wait" => pending().await,
            _ => {}
        }
        Ok("a book".to_owned())
    }

    pub(crate) async fn chat(
        &self,
        orders: &mut Receiver<String>,
        replies: &mut Sender<String>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        while let Some(order) = orders.next().await? {
            replies.send(order).await?;
        }
        Ok(())
    }
}

pub(crate) fn orders(server: &Writes) -> ServerBuilder {
    let service = Service::builder("shop.Orders", Arc::new(Orders))
        .unary(GET, Orders::get)
        .bidi_streaming(CHAT, Orders::chat);
    Server::builder()
        .add_service(service.build())
        .observe(server.clone())
}

pub(crate) struct World {
    pub(crate) network: Network,
    host: Host,
    pub(crate) client: Writes,
}

impl World {
    pub(crate) async fn new(server: ServerBuilder) -> Self {
        let network = Network::new(7);
        let host = network.bind("shop", server).await.unwrap();
        Self {
            network,
            host,
            client: Writes::default(),
        }
    }

    pub(crate) fn builder(&self) -> ChannelBuilder {
        Channel::builder("passthrough:///shop")
            .unwrap()
            .connector(self.network.connector("client"))
            .observe(self.client.clone())
    }

    pub(crate) async fn ends(self) {
        drop(self.host);
        no_leftovers(&self.network, Duration::from_secs(5)).await;
    }
}

pub(crate) fn open(builder: ChannelBuilder) -> Channel {
    builder.build(ChannelCredentials::insecure()).unwrap()
}

pub(crate) fn get(channel: &Channel, order: &str) -> UnaryCall<String> {
    UnaryCall::new(channel, GET, &order.to_owned()).metadata("x-user", "ann")
}

/// Without what is told twice.
pub(crate) fn followed(writes: &Writes) -> Vec<String> {
    let mut lines = writes.lines();
    lines.retain(|line| !line.starts_with("observer: "));
    lines
}

pub(crate) fn book() -> Reply {
    Reply::message(&"a book".to_owned())
}
