"""The workloads of the bench, and what is asked of Gatepost on each of them: the rows of the table."""

from dataclasses import dataclass, field


@dataclass
class Workload:
    id: str
    title: str
    tls: str                  # starttls | implicit | none
    figure: str               # the field of the load tool's answer that counts
    unit: str
    target: float             # Gatepost's figure over nginx's, at most
    load: dict = field(default_factory=dict)   # options of the load tool
    rate_target: float = 0    # and its rate over nginx's, at least
    scale: float = 1          # of the figure, for the eye

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
             "cpu_us_per_op", "CPU µs a message", 0.85, {"concurrency": 64, "messages-per-session": 100}, rate_target=6),
    Workload("W5", "20 MiB messages over TLS, 4 connections", "implicit", "cpu_ms_per_gib", "CPU ms a GiB", 0.90,
             {"concurrency": 4, "messages-per-session": 10, "size": 20 * 1024 * 1024}),
    Workload("W6-2000", "2,000 idle TLS sessions after AUTH", "starttls", "pss_bytes_per_session", "PSS bytes a session", 0.70,
             {"idle": 2000}),
    Workload("W6-9000", "9,000 idle TLS sessions after AUTH", "starttls", "pss_bytes_per_session", "PSS bytes a session", 0.70,
             {"idle": 9000}),
    Workload("W7", "one session alone, TLS, 16 KiB message", "starttls", "p50_ms", "p50 ms", 0.05,
             {"concurrency": 1, "size": 16384}),
]


def chosen(only):
    """`only` names rows ("W1,W6"); empty means all."""
    if not only:
        return WORKLOADS
    wanted = only.split(",")
    return [one for one in WORKLOADS if one.id in wanted or one.id.split("-")[0] in wanted]
