//! A server whose sockets the service manager binds, and passes on as systemd does
//! (`LISTEN_FDS`): it may listen on port 443 without the right to, and no connection is
//! refused while it restarts, since the sockets stay. Without a manager it binds one itself.
//!
//! ```ini
//! # hello.socket
//! [Socket]
//! ListenStream=443
//!
//! # hello.service
//! [Service]
//! ExecStart=/usr/bin/hello
//! ```

grpc_runtime::include_proto!("example");

use std::error::Error;

use grpc_runtime::{Context, ListenOptions, Server, Status};
use listenfd::ListenFd;

struct Greeter;

impl HelloServiceServicer for Greeter {
    async fn say_hello(
        &self,
        request: HelloRequest,
        _context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        Ok(HelloResponse {
            reply: format!("Hello, {}!", request.greeting),
        })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut server = Server::builder().add_service(HelloServiceServer::new(Greeter));
    // It takes the sockets that are meant for this process, and checks the type of each.
    let mut passed = ListenFd::from_env();
    if passed.len() == 0 {
        server = server.listen("127.0.0.1:50051");
    }
    for index in 0..passed.len() {
        if let Some(socket) = passed.take_tcp_listener(index)? {
            server = server.listen_on(socket, ListenOptions::new());
        }
    }
    let server = server.start().await?;
    println!("listening on {}", server.addresses().join(", "));
    server.wait().await;
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::net::TcpListener;
    use std::os::fd::OwnedFd;
    use std::process::Command;
    use std::time::Duration;

    use grpc_runtime::Channel;

    use super::{HelloRequest, HelloServiceStub};

    /// Runs the server: this file is both the program and its test.
    #[test]
    fn serves() {
        if std::env::var_os("LISTEN_FDS").is_some() {
            super::main().unwrap();
        }
    }

    #[test]
    fn a_socket_that_is_passed_on_is_served() {
        // As a manager does: the socket is descriptor 3, and the process has the number
        // that the variable says.
        const PASS: &str = "LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" --exact tests::serves 3<&0";
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap().to_string();
        let mut server = Command::new("sh")
            .args(["-c", PASS])
            .arg(std::env::current_exe().unwrap())
            .stdin(OwnedFd::from(socket))
            .spawn()
            .unwrap();
        // The socket listens already, so the call waits for the server and not in vain.
        let stub = HelloServiceStub::new(Channel::insecure(&address).unwrap());
        let request = HelloRequest {
            greeting: "World".to_owned(),
        };
        let reply = stub
            .say_hello(request)
            .timeout(Duration::from_secs(60))
            .wait();
        server.kill().unwrap();
        server.wait().unwrap();
        assert_eq!(reply.unwrap().reply, "Hello, World!");
    }
}
