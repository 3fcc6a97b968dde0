"""grpcio in front of several servers: the flags and the lines of JSON of our
`fleet_client`, as far as grpcio is compared with it. Calls are made one by one.
"""

import argparse
import collections
import json
import sys
import time

import grpc
import messages_pb2
import test_pb2_grpc

# How long all servers may take until each has answered once, and one call, in seconds.
MEETING, CALL = 20, 20


def tell(line):
    print(json.dumps(line), flush=True)


def channel(flags):
    config = {"loadBalancingConfig": [{flags.balance: {}}]}
    return grpc.insecure_channel(flags.target, [("grpc.service_config", json.dumps(config))])


def tell_states(over):
    """Connects, and prints each state until standard input ends."""
    over.subscribe(lambda state: tell({"state": state.name}), try_to_connect=True)
    sys.stdin.read()


def call(stub):
    """The name of the server, or None, and the code's name."""
    try:
        request = messages_pb2.SimpleRequest(fill_server_id=True)
        return stub.UnaryCall(request, timeout=CALL).server_id, "OK"
    except grpc.RpcError as error:
        return None, error.code().name


def meet(stub, count):
    """Returns once as many different servers have answered."""
    began, met = time.monotonic(), set()
    while len(met) < count:
        if time.monotonic() - began > MEETING:
            sys.exit(f"of {count} servers only {sorted(met)} answered")
        server, code = call(stub)
        if code == "OK":
            met.add(server)
        else:
            time.sleep(0.01)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--target", required=True)
    parser.add_argument("--balance", default="pick_first")
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--servers", type=int, default=0)
    parser.add_argument("--states", action="store_true")
    flags = parser.parse_args()
    with channel(flags) as over:
        if flags.states:
            return tell_states(over)
        stub = test_pb2_grpc.TestServiceStub(over)
        meet(stub, flags.servers)
        servers, codes = collections.Counter(), collections.Counter()
        for _ in range(flags.calls):
            server, code = call(stub)
            codes[code] += 1
            if server is not None:
                servers[server] += 1
        tell({"servers": servers, "codes": codes, "attempts": flags.calls})


if __name__ == "__main__":
    main()
