"""Is it the mail server behind us? Servers, connections to them, and what they answer."""
from .dashboard import dashboard
from .panels import GREEN, ORANGE, series, steps, table
from .query import Query, quantile, rate, rate_of, share, total

REUSED = 'gatepost_upstream_pool_acquires_total{U,result="reused"}'
REPLIES = "gatepost_upstream_replies_total{U%s}"


def reply_share(reply_class, legend=""):
    return share(REPLIES % f',reply_class="{reply_class}"', REPLIES % "", "upstream", legend)


DASHBOARD = dashboard(
    "upstreams",
    "Upstreams",
    "Are the mail servers behind Gatepost reachable, quick and willing?",
    (
        "Now",
        table("Servers", "Each server of each upstream.",
              ("Up", "bool_yes_no", Query("min by (upstream, endpoint) (gatepost_upstream_up{U})")),
              ("In use", "short", Query('sum by (upstream, endpoint) (gatepost_upstream_connections{U,state="active"})')),
              ("Idle", "short", Query('sum by (upstream, endpoint) (gatepost_upstream_connections{U,state="idle"})')),
              ("Connects/s", "cps", Query(rate_of("gatepost_upstream_connects_total{U}", "upstream, endpoint"))),
              ("Failed connects/s", "cps", Query(rate_of('gatepost_upstream_connects_total{U,result!="ok"}', "upstream, endpoint"))),
              ("Failed checks/s", "cps", Query(rate_of('gatepost_upstream_health_checks_total{U,result="failed"}', "upstream, endpoint"))),
              width=13, names={"upstream": "Upstream", "endpoint": "Server"}),
        table("Upstreams", "Each upstream as a whole.",
              ("Messages/s", "cps", Query(rate_of('gatepost_messages_total{LU,result="accepted"}', "upstream"))),
              ("Reused", "percentunit", Query(f"{rate_of(REUSED, 'upstream')} / {rate_of('gatepost_upstream_pool_acquires_total{U}', 'upstream')}")),
              ("Connect p95", "s", Query(quantile(0.95, "gatepost_upstream_connect_duration_seconds", "{U}", "upstream").expression)),
              ("4xx", "percentunit", Query(reply_share("4xx").expression)),
              ("5xx", "percentunit", Query(reply_share("5xx").expression)),
              width=11, names={"upstream": "Upstream"}),
    ),
    (
        "Answers",
        series("Replies", "cps", "Replies of upstreams by class; invalid is what is no SMTP reply.", rate(REPLIES % "", "upstream, reply_class"), stacked=True),
        series("Put off and refused", "percentunit", "4xx and 5xx, of all replies.", reply_share("4xx", "4xx {{upstream}}"), reply_share("5xx", "5xx {{upstream}}"), most=1, limits=steps(GREEN, (0.1, ORANGE))),
        series("Time to reply, p95, by command", "s", "From a command to its reply; MESSAGE is the end of data, where most mail servers think longest.", quantile(0.95, "gatepost_upstream_reply_duration_seconds", "{U}", "verb")),
        series("Messages", "cps", "Mail transactions by how they ended.", rate("gatepost_messages_total{LU}", "upstream, result"), width=8, stacked=True),
        series("Octets of messages", "Bps", "Message data by what became of it.", rate("gatepost_message_bytes_total{U}", "upstream, result"), width=8, stacked=True),
        series("Octets sent", "Bps", "All that was sent to upstreams.", rate("gatepost_upstream_sent_bytes_total{U}", "upstream"), width=8),
    ),
    (
        "Connections",
        series("Connects", "cps", "Attempts to connect, by what came of them.", rate("gatepost_upstream_connects_total{U}", "upstream, result"), stacked=True),
        series("Time to connect, p95", "s", "Until mail can be sent: TCP, greeting, EHLO, TLS, AUTH, XCLIENT; successful ones.", quantile(0.95, "gatepost_upstream_connect_duration_seconds", "{U}", "upstream")),
        series("Connections", "short", "Held by sessions, idle, or being opened.", total("gatepost_upstream_connections{U}", "upstream, state"), stacked=True),
        series("Reuse", "percentunit", "Transactions that got a connection that was open already.", share(REUSED, "gatepost_upstream_pool_acquires_total{U}", "upstream"), width=6, most=1),
        series("Wait for a connection, p95", "s", "How long transactions waited for one to become free.", quantile(0.95, "gatepost_upstream_pool_wait_seconds", "{U}", "upstream"), width=6, limits=steps(GREEN, (1, ORANGE))),
        series("Waiting", "short", "Sessions that wait now.", total("gatepost_upstream_pool_waiting{U}", "upstream"), width=6),
        series("Fullest server", "percentunit", "Connections, of pool.max_connections, of the fullest server of the fullest instance.",
               Query("max by (upstream) (sum by (instance, upstream, endpoint) (gatepost_upstream_connections{U}) / on (instance, upstream) group_left () (gatepost_upstream_connections_limit{U} > 0))", "{{upstream}}"),
               width=6, limits=steps(GREEN, (0.85, ORANGE))),
    ),
    (
        "Health and TLS",
        series("Servers up", "short", "Servers that pass their health checks, by the instance that sees fewest.", Query("min by (upstream) (sum by (instance, upstream) (gatepost_upstream_up{U}))", "{{upstream}}"), width=8),
        series("Health checks", "cps", "By server and result.", rate("gatepost_upstream_health_checks_total{U}", "endpoint, result"), width=8, stacked=True),
        series("Replaced unnoticed", "cps", "Idle connections that had gone stale: nothing was lost, but idle_timeout may be longer than the server's.", rate("gatepost_upstream_replaced_total{U}", "upstream"), width=8),
        series("TLS versions", "cps", "Handshakes with upstreams that completed.", rate("gatepost_upstream_tls_handshakes_total{U}", "upstream, version"), width=12, stacked=True),
        series("TLS failures", "cps", "Handshakes with upstreams that failed, by why.", rate("gatepost_upstream_tls_handshake_failures_total{U}", "upstream, reason"), width=12, stacked=True),
    ),
)  # fmt: skip
