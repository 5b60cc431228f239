"""How the rows of the table of limits are measured that are not one load on one server: each takes the bench, the proxy, the
row and the options of the run, and answers as the load tool does."""

import re
import subprocess
import threading

import limit_peers
import peers

TROUBLE_AFTER = 0.3  # seconds of the measurement in which all is well
ASKERS = {"concurrency": 64, "rate": 200}  # enough sessions that a message which waits keeps no other from being sent
SAID = {"ns_busy": r"busy senders +([0-9]+) ns", "ns_any": r"any of [0-9]+ senders +([0-9]+) ns", "bytes_per_key": r"octets a key +([0-9]+)"}
OTHERS = {"concurrency": 16, "rate": 1000}


class Program(peers.Proxy):
    """Nothing that runs all the time: `limits_bench`, started for each measurement."""

    def start(self):
        pass


def alone(bench, proxy, _workload, options):
    """The rules and the store in memory without anything around them. Measured once for all rows that tell of it; that a limit is
    missed (status 1) is for the table to say."""
    if proxy.name not in bench.once:
        done = subprocess.run([bench.programs["limits_bench"], *(["--quick"] if options.quick else [])], stdout=subprocess.PIPE, text=True, timeout=60)
        found = {name: re.search(pattern, done.stdout) for name, pattern in SAID.items()}
        answer = {name: float(match.group(1)) for name, match in found.items() if match}
        bench.once[proxy.name] = {**answer, "errors": len(found) - len(answer), "first_error": f"status {done.returncode}: {done.stdout}"}
    return bench.once[proxy.name]


def half_load(bench, proxy, workload, options):
    """Half of what can be done with rules, in messages that come evenly spaced. Not of what can be done without: Redis has its CPU
    in common with load and sink, which would then be full, and the wait for that CPU all that is measured."""
    if not bench.half_rate:
        ruled = next(one for one in bench.proxies if one.name == workload.ours)
        bench.half_rate = round(bench.load(ruled, workload, options)["rate"] / 2)
    return bench.load(proxy, workload, options, rate=bench.half_rate)


def trouble(bench, proxy, workload, options):
    """Those whom rules concern and those whom none does on one worker, and meanwhile something happens to the store. Measured
    once for the two rows that tell of it."""
    if proxy.name in bench.once:
        return bench.once[proxy.name]
    redis = bench.stores.servers.get({"gatepost-halted": "redis-halted", "gatepost-killed": "redis-killed"}.get(proxy.name))
    happens, ends = {"gatepost-halted": ("halt", "go_on"), "gatepost-killed": ("kill", "revive")}.get(proxy.name, (None, None))
    answers = {}

    def load(user, shape):
        answers[user] = bench.load(proxy, workload, options, user=user, **shape)

    loads = [threading.Thread(target=load, args=pair)
             for pair in ((limit_peers.CONCERNED, ASKERS), (limit_peers.UNCONCERNED, OTHERS))]
    timer = threading.Timer(workload.load["warmup"] + TROUBLE_AFTER, getattr(redis, happens)) if redis else None
    for thread in [*loads, timer] if timer else loads:
        thread.start()
    for thread in [*loads, timer] if timer else loads:
        thread.join()
    if redis:
        getattr(redis, ends)()
    concerned, others = answers[limit_peers.CONCERNED], answers[limit_peers.UNCONCERNED]
    bench.once[proxy.name] = {
        "errors": concerned["errors"] + others["errors"], "first_error": concerned.get("first_error") or others.get("first_error"),
        "longest_ms": concerned.get("mail_max_ms"), "others_p99_ms": others.get("p99_ms"), "others_longest_ms": others.get("mail_max_ms"),
        "concerned": concerned, "others": others}  # fmt: skip
    return bench.once[proxy.name]
