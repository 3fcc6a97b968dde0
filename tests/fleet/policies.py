"""What service configs make of a fleet's calls: retries, hedges, and policies that weigh
servers. Each case gives its numbers in words, or raises `Wrong`.
"""

import json

from cases import STEP, UNTIL_TOLD, answers, summed
from fleet import client, expect, fleet, run

ROUND_ROBIN = [{"round_robin": {}}]


def config(balance=ROUND_ROBIN, **method):
    """The flag of a service config whose calls all have this method config."""
    whole = {"loadBalancingConfig": balance}
    if method:
        whole["methodConfig"] = [{"name": [{}], **method}]
    return f"--service_config_json={json.dumps(whole)}"


def retried(bench):
    """Servers that are killed under load cost no call where a retry policy holds."""
    kills, concurrency = bench.pick(4, 20), 24
    policy = {
        "maxAttempts": 5,
        "initialBackoff": "0.01s",
        "maxBackoff": "0.1s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    flags = ["--servers=3", f"--concurrency={concurrency}", config(retryPolicy=policy)]
    with fleet(bench.binaries, "--delay_ms=5") as servers:
        with client(bench.ours(servers.target, *flags, *UNTIL_TOLD)) as ours:
            ours.await_later(answers(*servers), "before the first kill", STEP)
            for n in range(kills):
                name = list(servers)[n % 3]
                servers[name].kill()
                others = answers(*(set(servers) - {name}))
                ours.await_later(others, f"without {name}", STEP)
                servers[name].start()
                ours.await_later(answers(*servers), f"after kill {n + 1}, of {name}", STEP)
            total = ours.end()
    expect(set(total["codes"]) == {"OK"}, f"{total['codes']}")
    return f"{kills} kills, {total['codes']['OK']} calls, 0 failed"


def hedged(bench):
    """A server that hangs costs hedged calls no more than the delay, and fails none."""
    # Of several callers' turns a call's attempts would else all go to the one that hangs.
    delay, concurrency = 0.1, 8
    policy = {"maxAttempts": 3, "hedgingDelay": f"{delay}s", "nonFatalStatusCodes": ["UNAVAILABLE"]}
    flags = ["--servers=3", f"--concurrency={concurrency}", config(hedgingPolicy=policy)]
    with fleet(bench.binaries, "--delay_ms=5") as servers:
        with client(bench.ours(servers.target, *flags, *UNTIL_TOLD)) as ours:
            place = ours.await_later(answers(*servers), "before it hangs", STEP)
            servers["c"].hang()
            now = ours.await_later(answers("a", "b"), "while it hangs", STEP)
            for n in range(bench.pick(2, 20)):
                now = ours.await_later(answers("a", "b"), f"while it hangs, {n}", STEP)
            lines = ours.lines[place:now]
            servers["c"].go_on()
            ours.await_later(answers(*servers), "it goes on", STEP)
            total = ours.end()
    expect(set(total["codes"]) == {"OK"}, f"{total['codes']}")
    worst = max(line["p99_us"] for line in lines) / 1e6
    expect(worst < delay + 0.5, f"p99 was {worst:.3f} s")
    return f"delay {delay} s: p99 {worst:.3f} s at most while one hung, 0 failed"


def ejected(bench):
    """A server that fails half of its calls is ejected, and comes back."""
    outliers = {
        "interval": "1s",
        "baseEjectionTime": "3s",
        "maxEjectionPercent": 50,
        "failurePercentageEjection": {
            "threshold": 30,
            "enforcementPercentage": 100,
            "minimumHosts": 3,
            "requestVolume": 20,
        },
        "childPolicy": ROUND_ROBIN,
    }
    flags = [config([{"outlier_detection_experimental": outliers}]), "--concurrency=8"]
    with fleet(bench.binaries, "--delay_ms=5") as servers:
        servers["c"].kill()
        servers["c"].command.append("--fail_percent=50")
        servers["c"].start()
        with client(bench.ours(servers.target, *flags, *UNTIL_TOLD)) as ours:
            fails = lambda line: "UNAVAILABLE" in line["codes"]
            for n in range(bench.pick(1, 5)):
                ours.await_later(fails, "it is among the others", STEP)
                ours.await_later(answers("a", "b"), "it is ejected", STEP)
            ours.await_later(fails, "it comes back", STEP)
            ours.end()
    without = sum(1 for line in ours.lines if answers("a", "b")(line))
    lost = summed(ours.lines[:-1], "codes")["UNAVAILABLE"]
    return f"{without} seconds without it, of {len(ours.lines) - 1}; {lost} calls failed"


def slow(bench):
    """A server that is three times slower gets fewer calls by least_request."""
    calls = bench.pick(6_000, 60_000)
    flags = [config([{"least_request_experimental": {}}]), "--servers=3", "--concurrency=24"]
    with fleet(bench.binaries, "--delay_ms=10") as servers:
        servers["c"].kill()
        servers["c"].command[-1] = "--delay_ms=30"
        servers["c"].start()
        _, total = run(bench.ours(servers.target, *flags, f"--calls={calls}"), STEP + calls / 100)
    expect(total["codes"] == {"OK": calls}, f"{total['codes']}")
    shares = total["servers"]
    least = min(shares["a"], shares["b"])
    expect(shares["c"] < 0.75 * least, f"{shares}")
    return f"{shares}"


def weighted(bench):
    """A server that is three times slower, and says so, gets a third of the calls of each
    other one by weighted_round_robin."""
    seconds, concurrency = bench.pick(2, 30), 16
    weights = {"blackoutPeriod": "0s", "weightUpdatePeriod": "0.1s"}
    flags = [config([{"weighted_round_robin": weights}]), f"--concurrency={concurrency}"]
    fast = ["--orca_qps=100", "--delay_ms=5", "--orca_cpu_utilization=0.3"]
    slow = ["--delay_ms=15", "--orca_cpu_utilization=0.9"]

    def off(shares):
        """How far the farthest is from its share. Calls go by turns, so that only those
        that are under way at either end of a line can make a difference."""
        total = sum(shares.values())
        of = {"a": 3 / 7, "b": 3 / 7, "c": 1 / 7}
        return max(abs(shares.get(name, 0) - total * share) for name, share in of.items())

    with fleet(bench.binaries, *fast) as servers:
        servers["c"].kill()
        servers["c"].command[-2:] = slow
        servers["c"].start()
        with client(bench.ours(servers.target, *flags, "--servers=3", *UNTIL_TOLD)) as ours:
            fits = lambda line: answers(*servers)(line) and off(line["servers"]) <= concurrency + 2
            place = ours.await_line(fits, "the reports count", STEP)
            last = lambda line: line["part"] == place + seconds - 1
            ours.await_line(last, "the last second", STEP + seconds, place)
            ours.end()
    lines = ours.lines[place : place + seconds]
    shares = summed(lines, "servers")
    expect(set(summed(lines, "codes")) == {"OK"}, f"{summed(lines, 'codes')}")
    expect(off(shares) <= concurrency + 2, f"{dict(shares)}")
    return f"{dict(shares)}"


def ring(bench):
    """By ring_hash a key has its server, and another one only while that is away."""
    balance = [{"ring_hash_experimental": {"requestHashHeader": "x-key"}}]
    flags = [config(balance), "--hash_key_header=x-key", "--calls=2000", "--concurrency=8"]
    with fleet(bench.binaries) as servers:
        command = bench.ours(servers.target, *flags)
        shares = [run(command, STEP)[1]["servers"] for _ in range(2)]
        expect(shares[0] == shares[1], f"{shares}: the same keys went elsewhere")
        expect(set(shares[0]) == set(servers), f"{shares[0]}")
        servers["c"].kill()
        _, without = run(command, STEP)
    expect(set(without["servers"]) == {"a", "b"}, f"{without['servers']}")
    return f"{shares[0]}, and without c {without['servers']}"
