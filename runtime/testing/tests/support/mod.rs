//! A fleet for tests: named servers, each an endpoint of its own, and a service config
//! that changes while the channel lives.

use grpc_runtime::{
    Address, Channel, ChannelBuilder, Endpoint, Resolution, Resolver, ServerBuilder, ServiceConfig,
    Target, Updates,
};
use grpc_testing::{Host, Network};
use tokio::sync::watch;

struct Listed(Vec<String>, watch::Receiver<ServiceConfig>);

impl Resolver for Listed {
    fn scheme(&self) -> &'static str {
        "listed"
    }

    async fn resolve(&self, _target: &Target, mut updates: Updates) {
        let mut configs = self.1.clone();
        loop {
            let config = configs.borrow_and_update().clone();
            let names = self.0.iter();
            let names = names.map(|name| Endpoint::new(Address::Other(name.as_str().into())));
            let found = Resolution::new(names).service_config(Ok(config));
            let _ = updates.send(found).await;
            if configs.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }
}

pub(crate) struct Fleet {
    pub(crate) network: Network,
    #[allow(dead_code, reason = "it keeps them, and one test alone ends them")]
    pub(crate) hosts: Vec<Host>,
    #[allow(dead_code, reason = "not every test has another config")]
    pub(crate) configs: watch::Sender<ServiceConfig>,
}

impl Fleet {
    pub(crate) async fn of<'a>(
        servers: impl IntoIterator<Item = (&'a str, ServerBuilder)>,
        config: ServiceConfig,
    ) -> (Self, ChannelBuilder) {
        let network = Network::new(7);
        let (mut hosts, mut names) = (Vec::new(), Vec::new());
        for (name, server) in servers {
            hosts.push(network.bind(name, server).await.unwrap());
            names.push(name.to_owned());
        }
        let (configs, receiver) = watch::channel(config);
        let builder = Channel::builder("listed:///all")
            .unwrap()
            .resolver(Listed(names, receiver))
            .connector(network.connector("client"));
        let fleet = Self {
            network,
            hosts,
            configs,
        };
        (fleet, builder)
    }
}
