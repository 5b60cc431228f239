"""Who cannot log in, and who should not: logins, credential backends, guessing, limits and policy."""
from .dashboard import dashboard
from .panels import GREEN, ORANGE, RED, heatmap, number, series, steps
from .query import Query, buckets, quantile, rate, rate_of, share, total

FAILED = 'gatepost_auth_attempts_total{L,result=~"invalid_credentials|disabled|blocked"}'
UNANSWERED = 'gatepost_auth_backend_requests_total{F,result=~"error|timeout"}'

DASHBOARD = dashboard(
    "auth",
    "Auth & abuse",
    "Can users log in, does every credential backend answer, and who is guessing or over a limit?",
    (
        "Logins",
        series("AUTH by outcome", "cps", "AUTH commands by mechanism and what became of them.", rate("gatepost_auth_attempts_total{L}", "mechanism, result"), stacked=True),
        series("Share of failures", "percentunit", "Wrong passwords, unknown or disabled users and blocked attempts, of all AUTH commands.", share(FAILED, "gatepost_auth_attempts_total{L}", "listener"), most=1, limits=steps(GREEN, (0.5, ORANGE))),
        heatmap("Time until the answer", "s", "From the AUTH command to its last reply. The failure delay of the configuration is part of failures.", buckets("gatepost_auth_duration_seconds", "{F}")),
    ),
    (
        "Credential backends",
        series("Questions", "cps", "Questions to backends by their answer; denied is an answer, too.", rate("gatepost_auth_backend_requests_total{F}", "backend, result"), width=6, stacked=True),
        series("Unanswered", "percentunit", "Questions that failed or timed out, of all: each is a 454 to a user.", share(UNANSWERED, "gatepost_auth_backend_requests_total{F}", "backend"), width=6, most=1, limits=steps(GREEN, (0.05, RED))),
        series("Time to answer, p95", "s", "From a question to its answer, without hashing.", quantile(0.95, "gatepost_auth_backend_request_duration_seconds", "{F}", "backend"), width=6),
        series("Up", "bool", "Whether a backend answers, by the worst instance.", Query("min by (backend) (gatepost_auth_backend_up{F})", "{{backend}}"), width=6, most=1),
        series("AUTH of each backend, p95", "s", "The whole login with this backend, successful ones.", quantile(0.95, "gatepost_auth_duration_seconds", '{F,result="success"}', "backend")),
        series("Cache hits", "percentunit", "Passwords that were right a moment ago, of all that were looked for: these ask nobody and hash nothing.",
               share('gatepost_auth_cache_lookups_total{F,result="hit"}', "gatepost_auth_cache_lookups_total{F}", "backend"), most=1),
        series("Connections and cache entries", "short", "Connections to backends by what they are at, and remembered passwords.",
               total("gatepost_auth_backend_connections{F}", "backend, state", "{{state}} {{backend}}"), total("gatepost_auth_cache_entries{F}", "backend", "cached {{backend}}")),
    ),
    (
        "Guessing",
        series("New blocks", "cps", "Addresses, networks and users in networks whose failures became too many (auth.guessing); `gatepost bans list` shows who.", rate("gatepost_auth_blocks_total{F}", "scope, reason"), width=8, stacked=True),
        series("Blocked now", "short", "Blocks that instances know of: those they saw begin and those they refused somebody by. With a shared store one block may be counted by several.", total("gatepost_auth_blocks_active{F}", "scope"), width=8),
        series("Attempts refused or slowed", "cps", "AUTH refused by a block before any password was looked at, and AUTH that waited because of the user's failures elsewhere.",
               rate("gatepost_auth_blocked_attempts_total{F}", "scope", "blocked {{scope}}"), rate("gatepost_auth_delayed_attempts_total{F}", legend="delayed"), width=8, stacked=True),
    ),
    (
        "Limits and policy",
        series("Limits that had a say", "cps", "Decisions of rules under limits other than allow.", rate('gatepost_rate_limit_decisions_total{F,decision!="allow"}', "limit, decision"), stacked=True),
        series("Share let through", "percentunit", "Of what each rule was asked, how much it allowed.", share('gatepost_rate_limit_decisions_total{F,decision=~"allow|would_refuse|fail_open"}', "gatepost_rate_limit_decisions_total{F}", "limit"), most=1),
        series("Refused by policy", "cps", "What Gatepost itself refused: sender, recipient, size.", rate("gatepost_policy_decisions_total{F}", "policy, decision"), stacked=True),
        number("Let through uncounted", "cps", "fail_open: the store of limits was away and when_unavailable is allow.", Query(rate_of('gatepost_rate_limit_decisions_total{F,decision="fail_open"}')), width=4, height=8, colours=steps(GREEN, (0.001, RED))),
        number("Store of limits", "none", "Whether it counts, by the worst instance.", Query("min(gatepost_rate_limit_store_up{F})"), width=4, height=8, words={1: ("counts", GREEN), 0: ("away", RED)}),
        number("Replicas that share it", "short", "Seen by the instance that sees fewest.", Query("min(gatepost_rate_limit_replicas{F})"), width=4, height=8),
        series("Store of limits: time", "s", "From a batch of questions to its answer, where the store is another process.",
               quantile(0.5, "gatepost_rate_limit_store_request_duration_seconds", "{F}", "store"), quantile(0.95, "gatepost_rate_limit_store_request_duration_seconds", "{F}", "store"), width=6),
        series("Store of limits: errors", "cps", "Batches that were not answered in time, or not well.", rate("gatepost_rate_limit_store_errors_total{F}", "store"), width=6),
        series("Breaches of the protocol", "cps", "Bare newlines, smuggling, commands out of order and the like.", rate("gatepost_smtp_protocol_errors_total{L}", "reason"), width=24, stacked=True),
    ),
)  # fmt: skip
