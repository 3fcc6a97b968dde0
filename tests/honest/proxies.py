"""nginx and haproxy in between: HTTP/2 in plain text on both sides."""

import contextlib
import pathlib
import socket
import subprocess
import tempfile
import time

import peers
import process

# What a proxy may take to listen, in seconds.
START = 10

NGINX = """\
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/log warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/client;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    # A connection that has served so many requests is closed by default.
    keepalive_requests 100000000;
    client_max_body_size 0;
    upstream server {{
        server 127.0.0.1:{server};
        keepalive 64;
        keepalive_requests 100000000;
    }}
    server {{
        listen 127.0.0.1:{port} http2;
        location / {{
            grpc_pass grpc://server;
            grpc_next_upstream off;
        }}
    }}
}}
"""

HAPROXY = """\
defaults
    mode http
    timeout connect 10s
    timeout client 60s
    timeout server 60s
frontend calls
    bind 127.0.0.1:{port} proto h2
    default_backend server
backend server
    server one 127.0.0.1:{server} proto h2
"""


# haproxy before 3 reads nothing more of a connection as long as one of its streams has
# nowhere to go. Two directions that are both full wait for each other's windows for
# ever, whoever the client and the server are.
STUCK = {("bidi", 64 << 10), ("bidi", 1 << 20)}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait(port):
    end = time.monotonic() + START
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionError as error:
            if time.monotonic() > end:
                raise RuntimeError(f"a proxy does not listen: {error}") from error
            time.sleep(0.05)


class Proxy:
    def __init__(self, name, text, command, version, lacks=frozenset()):
        self.name = name
        # Kinds of work with their sizes that the proxy has no means for.
        self.lacks = lacks
        self.text = text
        self.command = command
        self.version = version

    @contextlib.contextmanager
    def before(self, server):
        """Runs between a client and a server's port, and gives its own."""
        port = free_port()
        with tempfile.TemporaryDirectory() as folder:
            config = pathlib.Path(folder) / "config"
            config.write_text(self.text.format(folder=folder, port=port, server=server))
            with process.started([*self.command, config], stderr=subprocess.DEVNULL):
                wait(port)
                yield port


def nginx():
    peers.need("nginx-light", "nginx")
    printed = process.must(["nginx", "-v"])
    return Proxy("nginx", NGINX, ["nginx", "-e", "stderr", "-c"], printed.split("/")[-1].strip())


def haproxy():
    peers.need("haproxy", "haproxy")
    version = process.must(["haproxy", "-v"]).split()[2].split("-")[0]
    lacks = STUCK if int(version.split(".")[0]) < 3 else frozenset()
    return Proxy("haproxy", HAPROXY, ["haproxy", "-db", "-f"], version, lacks)


PROXIES = {"nginx": nginx, "haproxy": haproxy}
