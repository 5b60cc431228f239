#include "proxy/observe/metrics_markdown.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "conf/metrics.h"

namespace gatepost::observe {
namespace {

using conf::Axis;
using conf::MetricKind;
using conf::MetricRow;

constexpr std::string_view kHead =
    "# Metrics\n\n"
    "Generated from `conf/metrics.h` by `gatepost metrics --markdown`; do not edit.\n\n"
    "`/metrics` of the admin address answers in Prometheus' text format. Every series below exists, at zero, "
    "from the\n"
    "start, so that `rate()` sees the first event. Counters, histograms and gauges of what is there now go "
    "on over a\n"
    "reload of the configuration as long as all labels of a series stay. No label ever holds a user, an "
    "address or a domain; what "
    "varies with\n"
    "the configuration is the number of listeners, mechanisms, backends, upstreams and their servers.\n\n";

std::string_view text_of(MetricKind kind) {
    switch (kind) {
        case MetricKind::kCounter:
        case MetricKind::kSampledCounter: return "counter";
        case MetricKind::kHistogram: return "histogram";
        case MetricKind::kLive:
        case MetricKind::kGauge:
        case MetricKind::kSampled: return "gauge";
    }
    return "";
}

void append_labels(std::string& page, const MetricRow& row) {
    std::string_view separator;
    for (const Axis axis : row.axes) {
        for (const std::string_view label : conf::row_of(axis).labels) {
            page.append(separator).append("`").append(label).append("`");
            separator = ", ";
        }
    }
}

void append_table(std::string& page) {
    page += "| name | kind | labels | meaning |\n| --- | --- | --- | --- |\n";
    for (const MetricRow& row : conf::kMetrics) {
        page.append("| `").append(conf::prefix_of(row.name)).append(row.name).append("` | ");
        page.append(text_of(row.kind)).append(" | ");
        append_labels(page, row);
        page.append(" | ").append(row.help).append(" |\n");
    }
}

/// How many values an axis has that the configuration names, and what decides that.
std::string_view cardinality_of(Axis axis) {
    switch (axis) {
        case Axis::listener: return "one for each of `listeners`";
        case Axis::mechanism: return "one for each of `auth.mechanisms`, and `other`";
        case Axis::backend: return "one for each of `auth.backends`, and `none` where no backend was asked";
        case Axis::configured_backend: return "one for each of `auth.backends`";
        case Axis::upstream: return "one for each of `upstreams`";
        case Axis::endpoint: return "one pair for each entry of `servers`, over all upstreams";
        case Axis::certificate: return "one for each certificate file";
        case Axis::limit: return "one for each rule under `limits`";
        case Axis::limit_store: return "one: the `type` of `limit_store`";
        case Axis::worker: return "one for each of `workers`, from 0 on";
        case Axis::build: return "one: this binary";
        case Axis::config: return "one: the configuration that is served; a reload begins another series";
        default: return "";
    }
}

/// Series of a metric for each value of what the configuration names; a histogram's lines are a series each.
std::size_t series_for_each(const MetricRow& row) {
    std::size_t series = row.kind == MetricKind::kHistogram ? row.buckets.size() + 3 : 1;
    for (const Axis axis : row.axes) series *= std::max<std::size_t>(conf::row_of(axis).values.size(), 1);
    return series;
}

void append_names(std::string& page) {
    page +=
        "\n## How many series\n\nWhat the configuration names decides how many series there are; all else is "
        "the closed sets above. The last\ncolumn is for one value of each such label; several in one metric "
        "multiply. Three listeners, four mechanisms, two\nbackends and three upstreams of five servers are "
        "less than 3,000 series.\n\n| metric | by | how many of these | series for each |\n| --- | --- | --- "
        "| "
        "--- |\n";
    for (const MetricRow& row : conf::kMetrics) {
        std::string by;
        std::string how_many;
        for (const Axis axis : row.axes) {
            const conf::AxisRow& axis_row = conf::row_of(axis);
            if (!axis_row.values.empty()) continue;
            by.append(by.empty() ? "`" : ", `")
                .append(axis_row.labels.items[axis_row.labels.size() == 2 ? 1 : 0]);
            by.append("`");
            how_many.append(how_many.empty() ? "" : "; ").append(cardinality_of(axis));
        }
        if (by.empty()) continue;
        page.append("| `").append(conf::prefix_of(row.name)).append(row.name).append("` | ");
        page.append(by).append(" | ").append(how_many).append(" | ");
        page.append(std::to_string(series_for_each(row))).append(" |\n");
    }
}

/// Where an axis is used: the same label name can have other values in another metric.
void append_values(std::string& page) {
    page += "\n## Values of labels\n\n| metric | label | values |\n| --- | --- | --- |\n";
    for (const MetricRow& row : conf::kMetrics) {
        for (const Axis axis : row.axes) {
            const conf::AxisRow& axis_row = conf::row_of(axis);
            if (axis_row.values.empty()) continue;
            page.append("| `").append(conf::prefix_of(row.name)).append(row.name).append("` | `");
            page.append(axis_row.labels.items[0]).append("` | ");
            std::string_view separator;
            for (const std::string_view value : axis_row.values) {
                page.append(separator).append("`").append(value).append("`");
                separator = " ";
            }
            page += " |\n";
        }
    }
    append_names(page);
    page +=
        "\n`listener`, `backend` and `upstream` are names from the configuration, `endpoint` is an entry of "
        "an upstream's\n"
        "`servers`, `certificate` the path of a certificate file. `mechanism` is one that is offered, or "
        "`other`;\n"
        "`backend` is `none` where no backend was asked. `store` is the `type` of `limit_store`.\n";
}

}  // namespace

std::string metrics_markdown() {
    std::string page(kHead);
    append_table(page);
    append_values(page);
    return page;
}

}  // namespace gatepost::observe
