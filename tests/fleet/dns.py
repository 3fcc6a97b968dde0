#!/usr/bin/env python3
"""Our client behind a name whose addresses change, under the system's resolver.

dns.py [--whole]

The name is that of a headless service of Kubernetes. Its addresses change each second
under load, and between that the name server knows no such name, fails, is silent and is
slow. No call may fail, and no connection to an address that stayed may be opened again.
The whole changes them for a minute. Then its service config changes, in a TXT record that
comes late, is wrong, and goes. It runs in namespaces of its own, with a name server
of its own at 127.0.0.1:53: it needs cargo, unshare and ip.
"""

import contextlib
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "interop")]
sys.dont_write_bytecode = True

import name_server
import namespaces
import process
from fleet import Counting, client, expect

NAME = "greeter.test.svc.cluster.local"
PORT = 50051
# As in a pod: five dots make a name that is tried as it is first, and this one has four.
RESOLV_CONF = """nameserver 127.0.0.1
search test.svc.cluster.local svc.cluster.local cluster.local
options ndots:5 timeout:1 attempts:2
"""
NSSWITCH_CONF = "hosts: files dns\n"
# The one that stays, and those that come and go.
STAYS, OTHERS = "127.0.0.2", [f"127.0.0.{n}" for n in range(3, 8)]
# What one step, and all of it, may take, in seconds.
STEP, BOUND = 30, 400


def pods(stack, binaries):
    """Servers that are named by their addresses."""
    found = {}
    for address in [STAYS, *OTHERS]:
        command = [binaries / "interop_server", f"--host={address}", f"--port={PORT}"]
        command += [f"--server_id={address}", "--tell_connections", "--delay_ms=2"]
        found[address] = Counting(stack, command)
    return found


class Story:
    """What becomes of the name, and what its client makes of it."""

    def __init__(self, names, ours):
        self.names = names
        self.ours = ours
        self.joined = dict.fromkeys([STAYS, *OTHERS], 0)
        self.set(OTHERS[:1])

    def set(self, others):
        """The addresses are these, and the one that stays."""
        for address in {STAYS, *others} - set(self.names.addresses):
            self.joined[address] += 1
        self.names.addresses = [STAYS, *others]

    def change(self, seconds):
        """Each second one comes or goes, or two change places."""
        for _ in range(seconds):
            now = set(self.names.addresses) - {STAYS}
            away = sorted(set(OTHERS) - now)
            step = random.choice(["come"] * (len(now) < 2) or ["come", "go", "swap"] if away else ["go"])
            if step != "come":
                now.remove(random.choice(sorted(now)))
            if step != "go":
                now.add(random.choice(away))
            self.set(sorted(now))
            time.sleep(1)

    def settle(self, what):
        """The client calls all that have the name, and no others."""
        fits = lambda line: set(line["servers"]) == set(self.names.addresses)
        self.ours.await_later(fits, what, STEP)

    def trouble(self, what, seconds, **settings):
        """The name server is in trouble: the last answer stays. Then it is well, and the
        next answer counts."""
        place, before = len(self.ours.lines), sum(self.names.asked.values())
        known = set(self.names.addresses)
        for name, value in settings.items():
            setattr(self.names, name, value)
        time.sleep(seconds)
        lines = self.ours.lines[place:]
        expect(sum(self.names.asked.values()) > before, f"{what}: nobody asked")
        expect(lines, f"{what}: no calls were made")
        for line in lines:
            expect(set(line["servers"]) == known, f"{what}: {line['servers']}, not {known}")
        self.set(sorted(set(OTHERS) - known)[:2])
        # What is slow is found all the same.
        if "delay" not in settings:
            self.names.heal()
        self.settle(f"after {what}")
        self.names.heal()


def changing(names, binaries, whole):
    """Gives the numbers, in words."""
    concurrency = 16
    command = [binaries / "fleet_client", f"--target=dns:///{NAME}:{PORT}"]
    command += ["--balance=round_robin", f"--concurrency={concurrency}", "--servers=1"]
    command += ["--max_resolution_age_ms=1000", "--seconds=3600", "--until_eof"]
    with contextlib.ExitStack() as stack:
        servers = pods(stack, binaries)
        story = Story(names, None)
        story.ours = stack.enter_context(client(command))
        story.settle("the first answer")
        began = time.monotonic()
        story.change(60 if whole else 4)
        story.settle("after the changes")
        changed = time.monotonic() - began
        seconds = 10 if whole else 2
        story.trouble("no such name", seconds, code=name_server.NXDOMAIN)
        story.trouble("SERVFAIL", seconds, code=name_server.SERVFAIL)
        story.trouble("slow answers", seconds, delay=0.4)
        if whole:
            story.trouble("silence", seconds, is_silent=True)
        total = story.ours.end()
        expect(set(total["codes"]) == {"OK"}, f"calls failed: {total['codes']}")
        accepted = {address: pod.accepted for address, pod in servers.items()}
    told = f"accepted {accepted}, in the name {story.joined} times"
    expect(accepted[STAYS] == 1, f"{STAYS} stayed, and was connected to again: {told}")
    for address in OTHERS:
        expect(accepted[address] <= story.joined[address], f"{address} again: {told}")
    expect(sum(accepted.values()) >= 5, f"there were few changes: {told}")
    empty = names.asked[name_server.AAAA, name_server.OK]
    expect(empty > 0, "nobody asked for AAAA records, which are not there")
    return (
        f"{total['attempts']} calls, 0 failed, while addresses changed for {changed:.0f} s and in "
        f"trouble; connections by address {'/'.join(map(str, accepted.values()))}, times in the "
        f"name {'/'.join(map(str, story.joined.values()))}"
    )


def choices(policy):
    """A record whose choice for this client names the policy."""
    config = lambda policy: {"loadBalancingConfig": [{policy: {}}]}
    return "grpc_config=" + json.dumps([
        {"clientLanguage": ["go"], "serviceConfig": config("only_in_go")},
        {"percentage": 0, "serviceConfig": config("pick_first")},
        {"clientHostname": ["nobody"], "serviceConfig": config("pick_first")},
        {"clientLanguage": ["Rust"], "percentage": 100, "serviceConfig": config(policy)},
    ])


def await_questions(names, count, what):
    """Waits for so many questions for the config."""
    asked = lambda: sum(times for (kind, _), times in list(names.asked.items()) if kind == name_server.TXT)
    until, enough = time.monotonic() + STEP, asked() + count
    while asked() < enough:
        expect(time.monotonic() < until, f"{what}: nobody asked within {STEP} s")
        time.sleep(0.05)


def configured(names, binaries):
    """A service config that comes late, changes, is wrong, and goes. By its policy calls go
    to both servers; without one they go to one."""
    late = 5
    command = [binaries / "fleet_client", f"--target=dns:///{NAME}:{PORT}", "--concurrency=4"]
    command += ["--service_config_from_dns", "--max_resolution_age_ms=1000"]
    command += ["--seconds=3600", "--until_eof"]
    with contextlib.ExitStack() as stack:
        pods(stack, binaries)
        names.addresses = [STAYS, OTHERS[0]]
        names.text, names.configs.delay = choices("round_robin"), late
        # That long an answer may take.
        resolv_conf = pathlib.Path("/etc/resolv.conf")
        resolv_conf.write_text(RESOLV_CONF.replace("timeout:1", f"timeout:{2 * late}"))
        began = time.monotonic()
        ours = stack.enter_context(client(command))
        to = lambda count: lambda line: len(line["servers"]) == count
        ours.await_line(to(1), "calls before there is a config", STEP)
        early = time.monotonic() - began
        expect(early < late, f"calls waited {early:.1f} s for a config that takes {late} s")
        ours.await_line(to(2), "a config that comes late", STEP)
        expect(time.monotonic() - began > late, "the config was there too soon")
        names.configs.heal()
        resolv_conf.write_text(RESOLV_CONF)
        names.text = choices("pick_first")
        ours.await_later(to(1), "another config", STEP)
        names.text = choices("round_robin")
        ours.await_later(to(2), "the config of before", STEP)
        for what, text, trouble in [
            ("text that is no JSON", "grpc_config=[{", {}),
            ("a choice with a field that is unknown", 'grpc_config=[{"serviceConfig":{},"x":1}]', {}),
            ("SERVFAIL", None, {"code": name_server.SERVFAIL}),
            ("silence", None, {"is_silent": True}),
        ]:
            names.text = text
            vars(names.configs).update(trouble)
            place = len(ours.lines)
            await_questions(names, 2, what)
            # One more that was begun by then.
            time.sleep(1.5)
            lines = ours.lines[place:]
            expect(lines and all(map(to(2), lines)), f"{what} took the config away: {lines}")
            names.text = choices("round_robin")
            names.configs.heal()
            await_questions(names, 2, f"after {what}")
        names.text = None
        ours.await_later(to(1), "no config", STEP)
        total = ours.end()
        expect(set(total["codes"]) == {"OK"}, f"calls failed: {total['codes']}")
    return f"{total['attempts']} calls, 0 failed, by configs from DNS; the first after {early:.1f} s"


def example(names, binaries):
    """The example `headless_service`, as its text has it."""
    program = binaries / "headless_service"
    with contextlib.ExitStack() as stack:
        for address in [STAYS, OTHERS[0]]:
            command = [program, f"--serve={address}:{PORT}"]
            Counting(stack, command, {"HOSTNAME": f"greeter-{address[-1]}"})
        names.addresses = [STAYS, OTHERS[0]]
        command = [program, f"--target=dns:///{NAME}:{PORT}", "--seconds=2"]
        printed, code = process.run(command, STEP)
    lines = printed.splitlines()
    fits = len(lines) == 2 and all(pod in lines[1] for pod in ("greeter-2: ", "greeter-3: "))
    expect(code == 0 and fits, f"the example ended with {code}: {printed}")
    return f"headless_service: {lines[1]}"


def arrange(folder):
    """The system's resolver asks ours."""
    namespaces.ip("link", "set", "lo", "up")
    for path, text in (("/etc/resolv.conf", RESOLV_CONF), ("/etc/nsswitch.conf", NSSWITCH_CONF)):
        ours = pathlib.Path(folder) / pathlib.Path(path).name
        ours.write_text(text)
        subprocess.run(["mount", "--bind", ours, os.path.realpath(path)], check=True)


def case(binaries, whole):
    with tempfile.TemporaryDirectory() as folder:
        arrange(folder)
        with name_server.NameServer(NAME) as names:
            cases = changing(names, binaries, whole), configured(names, binaries)
            return f"{'; '.join(cases)}; {example(names, binaries)}"


if __name__ == "__main__":
    namespaces.main(pathlib.Path(__file__), __doc__, case, BOUND)
