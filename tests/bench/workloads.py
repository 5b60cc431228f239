"""The workloads of the bench, and what is asked of Gatepost on each of them: the rows of its tables."""

from dataclasses import dataclass, field


@dataclass
class Workload:
    id: str
    title: str
    tls: str                  # starttls | implicit | none
    figure: str               # the field of the load tool's answer that counts
    unit: str
    target: float = 0         # Gatepost's figure over nginx's, at most; 0 = not asked, here and below
    load: dict = field(default_factory=dict)   # options of the load tool
    rate_target: float = 0    # and its rate over nginx's, at least
    tuned_target: float = 0   # Gatepost's figure over that of nginx with 64k buffers, at most
    limit: float = 0          # Gatepost's figure itself, below
    ours: str = "gatepost"    # which Gatepost
    peers: tuple = ("nginx", "nginx-elsewhere", "nginx-tuned")   # whom else it is measured on
    less: str = ""            # the peer whose figure is taken off before `limit` is looked at, round by round
    sign: str = "≤"           # how the limit is meant: ≤ or <
    how: str = ""             # measured by this function of limit_rows, else by one load
    rounds: int = 0           # at most; 0 = as many as the run has
    warm: int = 0             # sessions before the sink's connections are counted: figure connects_per_1000

    @property
    def idle(self):
        return "idle" in self.load


SESSION = {"concurrency": 64}

WORKLOADS = [
    Workload("W1", "STARTTLS, AUTH PLAIN, one 4 KiB message, QUIT; 64 at a time", "starttls",
             "cpu_us_per_op", "CPU µs a session", 0.80, SESSION),
    Workload("W2", "the same, implicit TLS", "implicit", "cpu_us_per_op", "CPU µs a session", 0.80, SESSION),
    Workload("W3", "the same without TLS", "none", "cpu_us_per_op", "CPU µs a session", 0.65, SESSION),
    Workload("W4", "100 messages of 4 KiB on each TLS session, set-up included", "starttls",
             "cpu_us_per_op", "CPU µs a message", 0.85, {"concurrency": 64, "messages-per-session": 100}, rate_target=6, ours="gatepost-keeping"),
    Workload("W5", "20 MiB messages over TLS, 4 connections", "implicit", "cpu_ms_per_gib", "CPU ms a GiB", 0.90,
             {"concurrency": 4, "messages-per-session": 10, "size": 20 * 1024 * 1024}, ours="gatepost-keeping"),
    Workload("W6-2000", "2,000 idle TLS sessions after AUTH", "starttls", "pss_bytes_per_session", "PSS bytes a session", 0.70,
             {"idle": 2000}),
    Workload("W6-9000", "9,000 idle TLS sessions after AUTH", "starttls", "pss_bytes_per_session", "PSS bytes a session", 0.70,
             {"idle": 9000}),
    Workload("W7", "one session alone, TLS, 16 KiB message", "starttls", "p50_ms", "p50 ms", 0.05,
             {"concurrency": 1, "size": 16384}),
]


# Connections to the upstream are used again, as by default.
BOTH_NGINX = ("nginx", "nginx-tuned")
UPSTREAMS = [
    Workload("U1", "STARTTLS, AUTH PLAIN, one 4 KiB message, QUIT; 64 at a time", "starttls",
             "cpu_us_per_op", "CPU µs a session", 0.65, SESSION, peers=BOTH_NGINX),
    Workload("U2", "the same, implicit TLS", "implicit", "cpu_us_per_op", "CPU µs a session", 0.65, SESSION, peers=BOTH_NGINX),
    Workload("U3", "the same without TLS", "none", "cpu_us_per_op", "CPU µs a session", 0.48, SESSION, peers=BOTH_NGINX),
    Workload("U4", "100 messages of 4 KiB on each TLS session, set-up included", "starttls", "cpu_us_per_op", "CPU µs a message",
             0.75, {"concurrency": 64, "messages-per-session": 100}, tuned_target=1.05, peers=BOTH_NGINX),
    Workload("U5", "20 MiB messages over TLS, 4 connections", "implicit", "cpu_ms_per_gib", "CPU ms a GiB",
             0.78, {"concurrency": 4, "messages-per-session": 10, "size": 20 * 1024 * 1024}, tuned_target=1.10, peers=BOTH_NGINX),
    Workload("U6", "as U1, to the upstream `tls: required`; nginx without TLS to it", "starttls", "cpu_us_per_op", "CPU µs a session",
             0.80, SESSION, ours="gatepost-tls", peers=BOTH_NGINX),
    Workload("U7", "from MAIL to its reply, one session at a time, no TLS; less the same at the sink itself", "none", "mail_us", "p50 µs",
             limit=100, sign="<", load={"concurrency": 1, "sessions": 3000, "size": 1024}, peers=("nginx", "sink"), less="sink"),
    Workload("U8", "connections to the upstream for 1,000 sessions as in U3, after a warm-up", "none", "connects_per_1000", "connections",
             limit=30, load={"concurrency": 64, "sessions": 10000}, ours="gatepost-unprobed", warm=1000, peers=()),
]

# Long sessions, so that what opening one costs is in no figure; no TLS, so that the difference is most of what is measured.
MESSAGES = {"concurrency": 64, "messages-per-session": 2000, "size": 1024}
HELD = {"messages-per-session": 1000000, "size": 1024, "warmup": 1, "seconds": 3}
ALONE = {"ours": "limits_bench", "peers": (), "how": "alone", "rounds": 1}
WAITS, OTHERS_WAIT = "longest from MAIL to its reply", "p99 of a message of users whom no rule concerns, meanwhile"
SLOW, HALTED, KILLED = "Redis 50 ms away", "Redis that accepts and does not answer", "Redis that is killed"


def in_trouble(number, what, ours, limit):
    """Two rows of one measurement. A late wake-up of the load, the store's stand-in or Gatepost may take 10 ms here."""
    common = {"load": HELD, "ours": ours, "peers": ("gatepost",), "less": "gatepost", "how": "trouble", "rounds": 1}
    return [Workload(f"L{number}", f"{what}: {WAITS}", "none", "longest_ms", "ms", limit=limit + 10, **common),
            Workload(f"L{number}-others", f"{what}: {OTHERS_WAIT}", "none", "others_p99_ms", "ms", limit=1, **common)]


LIMITS = [
    Workload("L1", "five memory rules on a message, nothing around them, a million keys: 1,000 busy senders", "none", "ns_busy",
             "CPU ns a message", limit=2000, **ALONE),
    Workload("L1-any", "the same, any of 200,000 senders", "none", "ns_any", "CPU ns a message", limit=2000, **ALONE),
    Workload("L1-key", "one key of these", "none", "bytes_per_key", "octets", limit=300, **ALONE),
    Workload("L2", "three Redis rules on each message (user, sender domain, all)", "none", "cpu_us_per_op", "CPU µs a message", limit=40,
             load=MESSAGES, ours="gatepost-redis", peers=("gatepost",), less="gatepost"),
    Workload("L2-memory", "the same rules in memory", "none", "cpu_us_per_op", "CPU µs a message",
             load=MESSAGES, ours="gatepost-memory", peers=("gatepost",), less="gatepost"),
    Workload("L3", "three Redis rules at half load: p99 of a message", "none", "p99_ms", "ms", limit=1, load=MESSAGES, ours="gatepost-redis",
             peers=("gatepost",), less="gatepost", how="half_load", rounds=3),
    *in_trouble(4, SLOW, "gatepost-slow", 50),
    *in_trouble(5, HALTED, "gatepost-halted", 200),
    *in_trouble(6, KILLED, "gatepost-killed", 200),
]

TABLES = {"gate": WORKLOADS, "upstreams": UPSTREAMS, "limits": LIMITS}
PEERS = {"gate": "nginx,nginx-elsewhere,nginx-tuned,gatepost,gatepost-keeping", "upstreams": "nginx,nginx-tuned,sink,gatepost,gatepost-tls,gatepost-unprobed",
         "limits": "limits_bench,gatepost,gatepost-memory,gatepost-redis,gatepost-slow,gatepost-halted,gatepost-killed"}


def chosen(table, only):
    """`only` names rows ("W1,W6"); empty means all."""
    if not only:
        return TABLES[table]
    wanted = only.split(",")
    return [one for one in TABLES[table] if one.id in wanted or one.id.split("-")[0] in wanted]


def made_quick(rows):
    """What still says that everything works, in seconds: no shape twice."""
    rows = [row for row in rows if row.id not in ("W6-9000", "U2", "U3", "U4", "U5") and row.how not in ("half_load", "trouble")]
    for row in rows:
        if row.idle:
            row.id, row.title, row.load = "W6-500", "500 idle TLS sessions after AUTH", {"idle": 500}
        if "sessions" in row.load:
            row.load, row.warm = {**row.load, "sessions": row.load["sessions"] // 10}, row.warm // 10
        if row.peers == BOTH_NGINX:
            row.peers = ("nginx",)
    return rows
