"""Is it well, and if not, where do I look next? From what users feel down to what runs full."""
from .dashboard import dashboard
from .panels import GREEN, ORANGE, RED, alerts, heatmap, number, series, steps
from .query import Query, buckets, quantile, quantiles, rate, rate_of, total

OURS = 'gatepost_messages_total{LU,origin="gateway",result=~"tempfail|aborted"}'

DASHBOARD = dashboard(
    "overview",
    "Overview",
    "Is Gatepost well? Rate, errors and duration of mail, and what runs full.",
    (
        "Health",
        number("Up", "short", "Instances that Prometheus can scrape.", Query("sum(up{F})"), width=2, colours=steps(RED, (1, GREEN))),
        number("Ready", "short", "Instances that serve new sessions: what /readyz answers.", total("gatepost_ready{F}"), width=2, colours=steps(RED, (1, GREEN))),
        number("Draining", "short", "Instances that are shutting down and let their sessions finish.", total("gatepost_draining{F}"), width=2, colours=steps(GREEN, (1, ORANGE))),
        number("Version", "none", "Versions that run now, and how many instances of each.", Query("count by (version) (gatepost_build_info{F})", "{{version}}"), shows="value_and_name"),
        number("Not failed by Gatepost", "percentunit", "Of all mail transactions now; the objective is 99.9 %. What the upstream or a rule of the operator refuses, or the client gives up, is not failed by Gatepost.",
               Query(f"1 - {rate_of(OURS)} / {rate_of('gatepost_messages_total{LU}')}"), colours=steps(RED, (0.99, ORANGE), (0.999, GREEN)), decimals=3),
        number("Certificates: days left", "d", "Until the first of the loaded certificates expires.", Query("(min(gatepost_tls_certificate_not_after_timestamp_seconds{F}) - time()) / 86400"),
               colours=steps(RED, (3, ORANGE), (14, GREEN)), decimals=0),
        number("Last reload", "none", "Whether every instance could load the configuration it was last told to.", Query("min(gatepost_config_last_reload_successful{F})"), words={1: ("ok", GREEN), 0: ("failed", RED)}),
        alerts("Alerts", "Alerts of Gatepost that fire or are about to.", width=6),
    ),
    (
        "Rate",
        series("Messages", "cps", "Mail transactions that ended, by how.", rate("gatepost_messages_total{LU}", "result"), width=6, stacked=True),
        series("Recipients", "cps", "RCPT commands, by what was answered.", rate("gatepost_recipients_total{U}", "result"), width=6, stacked=True),
        series("Traffic with clients", "Bps", "Octets of SMTP, without TLS.", rate("gatepost_received_bytes_total{L}", legend="received"), rate("gatepost_sent_bytes_total{L}", legend="sent"), width=6),
        series("New connections", "cps", "Client connections that were accepted.", rate("gatepost_connections_accepted_total{L}", "listener"), width=6, stacked=True),
    ),
    (
        "Errors",
        series("Failed messages: whose answer", "cps", "Transactions that were not accepted. gateway: Gatepost itself; policy: a limit or another rule that the operator wrote; upstream: the mail server behind it; client: it gave up.",
               rate('gatepost_messages_total{LU,result!="accepted"}', "origin, result"), width=6, stacked=True),
        series("Refusals to clients", "cps", "Commands that were answered 4xx or 5xx.", rate('gatepost_smtp_commands_total{L,reply_class=~"4xx|5xx"}', "verb, reply_class"), width=6, stacked=True),
        series("Connections refused", "cps", "Closed before their session began, by why.", rate("gatepost_connections_rejected_total{L}", "reason"), width=6, stacked=True),
        series("Connections ended", "cps", "What ended sessions. Anything but quit and client_eof deserves a look when it grows.", rate("gatepost_connections_closed_total{L}", "reason"), width=6, stacked=True),
    ),
    (
        "Duration",
        series("Message duration", "s", "From MAIL to the last reply of accepted messages: mostly the client's sending and the upstream's thinking.",
               *quantiles("gatepost_message_duration_seconds", '{U,result="accepted"}')),
        heatmap("Message duration, all of it", "s", "How long each mail transaction took.", buckets("gatepost_message_duration_seconds", "{U}")),
        series("Gatepost's share", "s", "What Gatepost alone adds to a message, beside how long the upstream takes for a reply (99th percentiles).",
               quantile(0.99, "gatepost_message_overhead_seconds", "{U}", legend="Gatepost p99"), quantile(0.99, "gatepost_upstream_reply_duration_seconds", "{U}", legend="upstream p99")),
    ),
    (
        "Saturation",
        series("Connections of the maximum", "percentunit", "Client connections, of max_connections of the listener, of the fullest instance.",
               Query("max by (listener) (gatepost_connections_active{L} / (gatepost_connections_limit{L} > 0))", "{{listener}}"), width=6, most=1, limits=steps(GREEN, (0.85, ORANGE))),
        series("Waiting for an upstream", "short", "Sessions that wait for a connection to become free.", total("gatepost_upstream_pool_waiting{U}", "upstream"), width=6),
        series("Event loop lag", "s", "How late a worker comes to what is due (99th percentile): over 50 ms the CPUs are not enough.", quantile(0.99, "gatepost_worker_loop_lag_seconds", "{F}", legend="p99"), width=6),
        series("File descriptors", "percentunit", "Of the maximum of the process, of the fullest instance.", Query("max by (instance) (process_open_fds{F} / process_max_fds{F})", "{{instance}}"), width=6, most=1, limits=steps(GREEN, (0.85, ORANGE))),
    ),
)  # fmt: skip
