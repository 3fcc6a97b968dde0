"""grpcio's calls for the comparison under one service config: reads a plan, makes its
calls and prints lines as our `scripted_client` does.
"""

import concurrent.futures
import json
import sys
import time

import empty_pb2
import grpc
import messages_pb2
import test_pb2_grpc

# Each case has connections of its own, and its tokens.
OWN = [("grpc.use_local_subchannel_pool", 1)]


def make(channel, call, identity):
    """How many responses came, and the code's name."""
    stub = test_pb2_grpc.TestServiceStub(channel)
    number = identity.rpartition("/")[2]
    extra = [(key, value.replace("{}", number)) for key, value in call["metadata"].items()]
    options = {
        "metadata": [("x-call", identity), ("x-script", call["script"]), *extra],
        "timeout": call["timeout_ms"] / 1000,
        "wait_for_ready": True,
    }
    requests = lambda kind: (kind() for _ in range(call["requests"]))
    made, responses = None, 0
    try:
        match call["method"]:
            case "EmptyCall":
                stub.EmptyCall(empty_pb2.Empty(), **options)
                responses = 1
            case "UnaryCall":
                stub.UnaryCall(messages_pb2.SimpleRequest(), **options)
                responses = 1
            case "UnimplementedCall":
                other = test_pb2_grpc.UnimplementedServiceStub(channel)
                other.UnimplementedCall(empty_pb2.Empty(), **options)
                responses = 1
            case "StreamingInputCall":
                several = requests(messages_pb2.StreamingInputCallRequest)
                stub.StreamingInputCall(several, **options)
                responses = 1
            case "StreamingOutputCall":
                request = messages_pb2.StreamingOutputCallRequest()
                for _ in stub.StreamingOutputCall(request, **options):
                    responses += 1
            case "FullDuplexCall":
                several = requests(messages_pb2.StreamingOutputCallRequest)
                for _ in stub.FullDuplexCall(several, **options):
                    responses += 1
    except grpc.RpcError as error:
        return responses, error.code().name
    return responses, "OK"


def connect(case, warm_up):
    """A channel that is connected, if its config lets it."""
    options = [*OWN, ("grpc.service_config", json.dumps(case["config"]))]
    channel = grpc.insecure_channel(case["target"], options)
    make(channel, warm_up, "")
    return channel


def run(channel, client, case):
    """Makes the calls of a case, one after the other."""
    told = []
    for call in case["calls"]:
        time.sleep(call["pause_ms"] / 1000)
        for _ in range(call["times"]):
            began = time.monotonic()
            responses, code = make(channel, call, f"{client}/{case['name']}/{len(told)}")
            ms = (time.monotonic() - began) * 1000
            told.append({"code": code, "ms": ms, "responses": responses})
    return {"name": case["name"], "calls": told}


def main():
    plan = json.load(sys.stdin)
    cases = plan["cases"]
    channels = [connect(case, plan["warm_up"]) for case in cases]
    with concurrent.futures.ThreadPoolExecutor(len(cases)) as pool:
        ended = lambda channel, case: run(channel, plan["client"], case)
        for line in pool.map(ended, channels, cases):
            print(json.dumps(line), flush=True)
    for channel in channels:
        channel.close()


if __name__ == "__main__":
    main()
