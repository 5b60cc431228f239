"""The process itself: what it uses, what is full, what it could not write down."""
from .dashboard import dashboard
from .panels import GREEN, ORANGE, RED, number, series, steps
from .query import Query, quantile, rate, rate_of, total

DASHBOARD = dashboard(
    "runtime",
    "Runtime",
    "Does the process itself have what it needs?",
    (
        "Processes",
        number("Oldest start", "s", "How long the instance that has run longest has been up.", Query("max(time() - process_start_time_seconds{F})"), width=4),
        number("Youngest start", "s", "How long the instance that started last has been up.", Query("min(time() - process_start_time_seconds{F})"), width=4, colours=steps(ORANGE, (600, GREEN))),
        number("Configurations", "short", "Different configurations that are served; two for longer than a roll-out takes is one too many.", Query("count(count by (hash) (gatepost_config_info{F}))"), width=4, colours=steps(GREEN, (2, ORANGE))),
        number("Cut by drains", "short", "Mail transactions that a drain had to end: drain.timeout was too short for them. Over the rate interval.", Query("sum(increase(gatepost_drain_transactions_cut_total{F}[R]))"), width=4, colours=steps(GREEN, (1, RED))),
        number("Log lines lost", "cps", "The reader of the log was too slow.", Query(rate_of("gatepost_log_dropped_total{F}")), width=4, colours=steps(GREEN, (0.001, RED))),
        number("Threads", "short", "Of all instances.", total("process_threads{F}"), width=4),
    ),
    (
        "Resources",
        series("CPU", "percentunit", "CPUs used: 100 % is one.", Query("sum by (instance) (rate(process_cpu_seconds_total{F}[R]))", "{{instance}}"), width=6),
        series("Memory", "bytes", "Resident.", total("process_resident_memory_bytes{F}", "instance"), width=6),
        series("Buffers", "bytes", "What sessions hold of octets that are on their way.", total("gatepost_buffers_in_use_bytes{F}", "instance"), width=6),
        series("File descriptors", "short", "Open, and the maximum of the instance that may have fewest.", total("process_open_fds{F}", "instance"), Query("min(process_max_fds{F})", "maximum"), width=6),
    ),
    (
        "Event loops",
        series("Workers busy", "percentunit", "Time that each worker did something; near 100 % it is the bottleneck.", Query("sum by (instance, worker) (rate(gatepost_worker_busy_seconds_total{F}[R]))", "{{instance}} {{worker}}"), most=1, limits=steps(GREEN, (0.8, ORANGE))),
        series("Lag", "s", "How late workers come to what is due.", quantile(0.5, "gatepost_worker_loop_lag_seconds", "{F}", legend="p50"), quantile(0.99, "gatepost_worker_loop_lag_seconds", "{F}", legend="p99")),
        series("Reloads", "short", "Configurations that were read, by who asked and whether it worked.", Query("sum by (trigger, result) (increase(gatepost_config_reloads_total{F}[R]))", "{{trigger}} {{result}}")),
    ),
    (
        "Names, logs, admin",
        series("DNS", "cps", "Look-ups by type and result.", rate("gatepost_dns_lookups_total{F}", "type, result"), width=6, stacked=True),
        series("DNS duration, p95", "s", "Of a look-up.", quantile(0.95, "gatepost_dns_lookup_duration_seconds", "{F}", "type"), width=6),
        series("Log lines", "cps", "By level, those that were lost included.", rate("gatepost_log_messages_total{F}", "level"), width=6, stacked=True),
        series("Admin HTTP", "cps", "Requests to the admin address, scrapes included.", rate("gatepost_admin_requests_total{F}", "route, code_class"), width=6, stacked=True),
    ),
)  # fmt: skip
