#include "proxy/observe/metrics_markdown.h"

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
    "start, so that `rate()` sees the first event. No label ever holds a user, an address or a domain; what "
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
