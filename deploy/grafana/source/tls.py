"""What clients are like: their TLS, certificates, PROXY headers, phases of sessions, and the shape of their mail."""
from .dashboard import dashboard
from .panels import heatmap, series, table
from .query import Query, buckets, quantile, quantiles, rate, share, total

DASHBOARD = dashboard(
    "tls",
    "TLS & clients",
    "Which clients are weak or wrong, when do certificates expire, and what does their mail look like?",
    (
        "Handshakes with clients",
        series("Versions", "cps", "Handshakes that completed: who would be lost with a higher tls.min_version.", rate("gatepost_tls_handshakes_total{L}", "listener, version"), stacked=True),
        series("Failures", "cps", "Handshakes that failed, by why. not_tls and eof are mostly scanners.", rate("gatepost_tls_handshake_failures_total{L}", "listener, reason"), stacked=True),
        series("Share of failures", "percentunit", "Of all handshakes.",
               Query("sum by (listener) (rate(gatepost_tls_handshake_failures_total{L}[R])) / (sum by (listener) (rate(gatepost_tls_handshake_failures_total{L}[R])) + sum by (listener) (rate(gatepost_tls_handshakes_total{L}[R])))", "{{listener}}"), most=1),
        series("Mode", "cps", "STARTTLS or implicit TLS.", rate("gatepost_tls_handshakes_total{L}", "mode"), stacked=True),
        series("Resumed", "percentunit", "Handshakes that resumed an earlier session and cost no signature.", share("gatepost_tls_sessions_resumed_total{L}", "gatepost_tls_handshakes_total{L}", "listener"), most=1),
        series("Duration", "s", "Of a handshake, the client's round trips included.", *quantiles("gatepost_tls_handshake_duration_seconds", "{L}")),
    ),
    (
        "Certificates",
        table("Loaded certificates", "When each expires, of the instance whose copy expires first.",
              ("Expires", "dateTimeAsIso", Query("min by (certificate) (gatepost_tls_certificate_not_after_timestamp_seconds{F}) * 1000")),
              ("Days left", "d", Query("(min by (certificate) (gatepost_tls_certificate_not_after_timestamp_seconds{F}) - time()) / 86400")),
              width=16, names={"certificate": "Certificate"}),
        series("Loads", "short", "Times a certificate was read, at start, on reload and when its file changed.", Query("sum by (result) (increase(gatepost_tls_certificate_loads_total{F}[R]))", "{{result}}"), width=8),
    ),
    (
        "Clients",
        series("Sessions by phase", "short", "What clients are doing now.", total("gatepost_sessions_active{L}", "phase"), width=6, stacked=True),
        series("Connections", "short", "Clients that are connected.", total("gatepost_connections_active{L}", "listener"), width=6, stacked=True),
        series("Lifetime of connections", "s", "From accept to close.", *quantiles("gatepost_connection_duration_seconds", "{L}", 0.5, 0.95), width=6),
        series("PROXY headers", "cps", "Headers of balancers by what was thought of them; anything but ok is a balancer set up wrongly.", rate("gatepost_proxy_protocol_headers_total{L}", "version, result"), width=6, stacked=True),
        series("Commands", "cps", "What clients say.", rate("gatepost_smtp_commands_total{L}", "verb"), width=12, stacked=True),
        series("Gatepost's time for a command, p95", "s", "From the command to its reply.", quantile(0.95, "gatepost_smtp_command_duration_seconds", "{F}", "verb"), width=12),
    ),
    (
        "Mail",
        series("Message size", "bytes", "Of accepted messages.", *quantiles("gatepost_message_size_bytes", "{U}"), width=8),
        heatmap("Sizes, all of them", "bytes", "How many messages of which size.", buckets("gatepost_message_size_bytes", "{U}")),
        series("Recipients of a message", "short", "Recipients that were accepted, of each message.", *quantiles("gatepost_message_recipients", "{U}"), width=8),
    ),
)  # fmt: skip
