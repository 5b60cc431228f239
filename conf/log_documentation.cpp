// The tables of events and fields in docs/logs.md.
#include <string>
#include <string_view>

#include "conf/log_events.h"
#include "conf/reference.h"

namespace gatepost::conf {
namespace {

std::string_view text_of(LogLevel level) {
    switch (level) {
        case LogLevel::Debug: return "debug";
        case LogLevel::Info: return "info";
        case LogLevel::Warning: return "warning";
        case LogLevel::Error: return "error";
    }
    return "";
}

std::string_view text_of(LogFieldKind kind) {
    switch (kind) {
        case LogFieldKind::kText: return "text";
        case LogFieldKind::kNumber: return "number";
        case LogFieldKind::kSeconds: return "seconds";
        case LogFieldKind::kTruth: return "true, false";
    }
    return "";
}

/// In the order of the table of fields.
std::string fields_of(std::size_t event) {
    std::string fields;
    for (std::size_t i = 0; i < kLogFields.size(); ++i) {
        if (!may_carry(static_cast<LogEvent>(event), static_cast<LogField>(i))) continue;
        fields.append(fields.empty() ? "`" : " `").append(kLogFields[i].key).append("`");
    }
    return fields;
}

}  // namespace

void write_log_events(std::ostream& out) {
    out << "| event | level | meaning | fields |\n| --- | --- | --- | --- |\n";
    for (std::size_t i = 0; i < kLogEvents.size(); ++i) {
        const LogEventRow& row = kLogEvents[i];
        out << "| `" << row.name << "` | " << text_of(row.level) << " | " << row.meaning << " | "
            << fields_of(i) << " |\n";
    }
}

void write_log_fields(std::ostream& out) {
    out << "| field | kind | meaning |\n| --- | --- | --- |\n";
    for (std::size_t i = 0; i < kLogFields.size(); ++i) {
        out << "| `" << kLogFields[i].key << "` | " << text_of(kind_of(static_cast<LogField>(i))) << " | "
            << kLogFields[i].meaning << " |\n";
    }
}

}  // namespace gatepost::conf
