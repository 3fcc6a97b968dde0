//! This repository's server and client, with its defaults.

pub(super) mod generated {
    grpc_runtime::include_proto!("bench");
}

use grpc_runtime::{
    Channel, ChannelCredentials, Context, Receiver, RoundRobin, Sender, Server, ServerCredentials,
    Status,
};

use self::generated::{BenchServer, BenchServicer, BenchStub, Count, Payload, Reply, Request};
use super::Peer;
use crate::Error;
use crate::handler::{NAME, check, greeting, prepare};
use crate::load::Task;
use crate::security::{self, SERVER_NAME, Security};

#[derive(Debug)]
pub struct Ours;

struct Bench;

async fn greet(task: Task, request: Request) -> Result<Reply, Status> {
    prepare(task).await;
    Ok(reply(&request))
}

fn reply(request: &Request) -> Reply {
    Reply {
        text: greeting(&request.name),
    }
}

impl BenchServicer for Bench {
    async fn hello(&self, request: Request, _context: &mut Context) -> Result<Reply, Status> {
        Ok(reply(&request))
    }

    async fn r#yield(&self, request: Request, _context: &mut Context) -> Result<Reply, Status> {
        greet(Task::Yield, request).await
    }

    async fn sleep(&self, request: Request, _context: &mut Context) -> Result<Reply, Status> {
        greet(Task::Sleep, request).await
    }

    async fn spin(&self, request: Request, _context: &mut Context) -> Result<Reply, Status> {
        greet(Task::Spin, request).await
    }

    async fn echo(&self, request: Payload, _context: &mut Context) -> Result<Payload, Status> {
        Ok(request)
    }

    async fn pull(
        &self,
        request: Count,
        replies: &mut Sender<Reply>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        for _ in 0..request.value {
            let text = greeting(NAME);
            replies.send(Reply { text }).await?;
        }
        Ok(())
    }

    async fn push(
        &self,
        requests: &mut Receiver<Request>,
        _context: &mut Context,
    ) -> Result<Count, Status> {
        let mut value = 0;
        while requests.next().await?.is_some() {
            value += 1;
        }
        Ok(Count { value })
    }

    async fn chat(
        &self,
        requests: &mut Receiver<Request>,
        replies: &mut Sender<Reply>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        while let Some(request) = requests.next().await? {
            replies.send(reply(&request)).await?;
        }
        Ok(())
    }
}

impl Peer for Ours {
    type Client = Client;

    async fn serve(security: Security, ready: impl FnOnce(&str)) -> Result<(), Error> {
        let credentials = match security {
            Security::Plain => ServerCredentials::insecure(),
            Security::Tls => {
                let identity = security::identity()?;
                ServerCredentials::tls(identity.chain, identity.key).build()?
            }
        };
        let server = Server::builder()
            .add_service(BenchServer::new(Bench))
            .listen_with("127.0.0.1:0", credentials)
            .start()
            .await?;
        ready(&server.addresses()[0]);
        server.wait().await;
        Ok(())
    }
}

#[derive(Clone, Debug)]
pub struct Client(BenchStub);

fn request() -> Request {
    Request {
        name: NAME.to_owned(),
    }
}

impl super::Client for Client {
    type Chat = (Sender<Request>, Receiver<Reply>);

    type Target = (String, ChannelCredentials);

    fn target(address: &str, security: Security) -> Result<Self::Target, Error> {
        let credentials = match security {
            Security::Plain => ChannelCredentials::insecure(),
            Security::Tls => ChannelCredentials::tls()
                .roots(security::roots()?)
                .server_name(SERVER_NAME)
                .build()?,
        };
        Ok((address.to_owned(), credentials))
    }

    async fn connect((address, credentials): &Self::Target) -> Result<Self, Error> {
        let channel = if address.contains(',') {
            Channel::builder(format!("ipv4:{address}"))?
                .balance(RoundRobin::new())
                .build(credentials.clone())?
        } else {
            Channel::new(address, credentials.clone())?
        };
        Ok(Self(BenchStub::new(channel)))
    }

    async fn greet(&self, task: Task) -> Result<String, Error> {
        let reply = match task {
            Task::Yield => self.0.r#yield(request()).await?,
            Task::Sleep => self.0.sleep(request()).await?,
            Task::Spin => self.0.spin(request()).await?,
            _ => self.0.hello(request()).await?,
        };
        Ok(reply.text)
    }

    async fn echo(&self, size: usize) -> Result<usize, Error> {
        let data = vec![b'b'; size];
        Ok(self.0.echo(Payload { data }).await?.data.len())
    }

    async fn pull(&self, count: usize) -> Result<usize, Error> {
        let value = count as u64;
        let mut replies = self.0.pull(Count { value }).start();
        let mut came = 0;
        while replies.next().await?.is_some() {
            came += 1;
        }
        Ok(came)
    }

    async fn push(&self, count: usize) -> Result<usize, Error> {
        let mut call = self.0.push().start();
        for _ in 0..count {
            call.send(request()).await?;
        }
        Ok(call.finish().await?.value as usize)
    }

    async fn chat(&self, count: usize) -> Result<usize, Error> {
        let (mut requests, mut replies) = self.0.chat().start();
        let send = async {
            for _ in 0..count {
                requests.send(request()).await?;
            }
            requests.finish();
            Ok(())
        };
        let read = async {
            let mut came = 0;
            while replies.next().await?.is_some() {
                came += 1;
            }
            Ok(came)
        };
        let ((), came) = tokio::try_join!(send, read).map_err(|status: Status| status)?;
        Ok(came)
    }

    async fn open(&self) -> Result<Self::Chat, Error> {
        let mut chat = self.0.chat().start();
        check(&Self::exchange(&mut chat).await?)?;
        Ok(chat)
    }

    async fn exchange((requests, replies): &mut Self::Chat) -> Result<String, Error> {
        requests.send(request()).await?;
        Ok(replies.next().await?.ok_or("the stream ended")?.text)
    }
}
