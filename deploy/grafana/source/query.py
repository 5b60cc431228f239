"""PromQL as the dashboards write it. Short forms in braces stand for the filters that every query must have:

{F} namespace, job and instance; {L} also the listener; {U} also the upstream; {LU} both. More labels may follow: {U,result="ok"}.
[R] is [$__rate_interval].
"""
import dataclasses
import re

FILTERS = {
    "F": 'namespace=~"$namespace",job=~"$job",instance=~"$instance"',
    "L": 'namespace=~"$namespace",job=~"$job",instance=~"$instance",listener=~"$listener"',
    "U": 'namespace=~"$namespace",job=~"$job",instance=~"$instance",upstream=~"$upstream"',
    "LU": 'namespace=~"$namespace",job=~"$job",instance=~"$instance",listener=~"$listener",upstream=~"$upstream"',
}


def expand(expression):
    expression = re.sub(r"\{(LU|F|L|U)(?=[,}])", lambda form: "{" + FILTERS[form.group(1)], expression)
    return expression.replace("[R]", "[$__rate_interval]")


@dataclasses.dataclass
class Query:
    expression: str
    legend: str = ""

    def __post_init__(self):
        self.expression = expand(self.expression)


def rate(counter, by="", legend=""):
    """How often a second, summed by these labels; the legend shows them."""
    return Query(rate_of(counter, by), legend or legend_of(by))


def rate_of(counter, by=""):
    return f"sum{f' by ({by}) ' if by else ''}(rate({counter}[R]))"


def total(gauge, by="", legend=""):
    return Query(f"sum{f' by ({by}) ' if by else ''}({gauge})", legend or legend_of(by))


def share(part, whole, by="", legend=""):
    """Of what the second counter counts, how much the first does."""
    return Query(f"{rate_of(part, by)} / {rate_of(whole, by)}", legend or legend_of(by))


def quantile(level, histogram, filters, by="", legend=""):
    labels = f"le, {by}" if by else "le"
    return Query(f"histogram_quantile({level}, {rate_of(f'{histogram}_bucket{filters}', labels)})", legend or f"{legend_of(by)} p{level * 100:g}".strip())


def quantiles(histogram, filters, *levels):
    return [quantile(level, histogram, filters) for level in levels or (0.5, 0.95, 0.99)]


def buckets(histogram, filters):
    """For a heatmap."""
    return Query(rate_of(f"{histogram}_bucket{filters}", "le"), "{{le}}")


def legend_of(by):
    return " ".join(f"{{{{{label.strip()}}}}}" for label in by.split(",")) if by else ""
