// conf/gatepost.schema.json: what a JSON Schema (draft-07) can say of the table of keys, for editors and for
// the values of the Helm chart. It never refuses what the loader takes; the loader refuses more. Its patterns
// are those that JavaScript, Go and Python read alike.
#include <algorithm>
#include <cctype>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "conf/canonical.h"
#include "conf/keys.h"
#include "conf/reference.h"
#include "conf/units.h"

namespace gatepost::conf {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kDuration = "[0-9]+(ms|s|m|h|d)";
constexpr std::string_view kSize = "[0-9]+([TGMK]iB|[TGMKk]B)?";
constexpr std::string_view kRateCount = "0*[1-9][0-9]*([TGMK]iB|[TGMKk]B)?";
constexpr std::string_view kRateTime = "/0*[1-9][0-9]*(ms|s|m|h|d)";
constexpr std::string_view kIpv4 = "[0-9]+(\\.[0-9]+){3}";
constexpr std::string_view kIpv6 = "[0-9A-Fa-f]*:[0-9A-Fa-f:]*:[0-9A-Fa-f.]*";
constexpr std::string_view kDomain = "[A-Za-z0-9_-]{1,63}(\\.[A-Za-z0-9_-]{1,63})*\\.?";
constexpr std::string_view kPort = ":0*[1-9][0-9]*";
constexpr std::string_view kName = "[A-Za-z0-9_-]{1,64}";

std::string joined(std::initializer_list<std::string_view> parts) {
    std::string result;
    for (const std::string_view part : parts) result += part;
    return result;
}

std::string address() {
    return joined({"(\\*|", kIpv4, "|\\[", kIpv6, "\\])", kPort});
}

// Nobody knows what ${NAME} will be, so a text that has one is always right.
constexpr std::string_view kReference = ".*\\$\\{[A-Za-z_][A-Za-z0-9_]*\\}.*";

std::string pattern(std::string_view grammar) {
    return joined({"^(", grammar, "|", kReference, ")$"});
}

Json text(std::string_view grammar) {
    return {{"type", "string"}, {"pattern", pattern(grammar)}};
}

// What YAML takes for a number or a truth is text to the loader.
Json scalar() {
    return {{"type", {"string", "number", "boolean"}}};
}

Json scalar(std::string_view grammar) {
    Json schema = scalar();
    schema["pattern"] = pattern(grammar);
    return schema;
}

Json scalar_of_length(std::size_t least) {
    Json schema = scalar();
    schema["minLength"] = least;
    return schema;
}

Json rate() {
    Json schema = {{"type", {"integer", "string"}}, {"minimum", 1}};
    schema["pattern"] = pattern(joined({kRateCount, "(", kRateTime, ")?"}));
    return schema;
}

Json number(const Key& key, std::string_view grammar) {
    Json schema = {{"type", {"integer", "string"}}, {"minimum", key.min}};
    if (key.max != std::numeric_limits<std::int64_t>::max()) schema["maximum"] = key.max;
    schema["pattern"] = pattern(grammar);
    return schema;
}

std::vector<std::string> built_words(const Key& key) {
    std::vector<std::string> words;
    std::string_view rest = key.words_list;
    while (!rest.empty()) {
        const auto bar = rest.find('|');
        const std::string_view word = rest.substr(0, bar);
        if (is_built(key, word)) words.emplace_back(word);
        rest = bar == std::string_view::npos ? "" : rest.substr(bar + 1);
    }
    return words;
}

Json word(const Key& key) {
    Json numbers = Json::array();
    for (const std::string& each : built_words(key)) {
        if (const Json number = Json::parse(each, nullptr, false); number.is_number())
            numbers.push_back(number);
    }
    Json either = Json::array();
    either.push_back({{"enum", built_words(key)}});
    // Not beside the words: Helm takes 1.2 and "1.2" for the same, and wants each word once.
    if (!numbers.empty()) either.push_back({{"enum", numbers}});
    either.push_back({{"type", "string"}, {"pattern", joined({"^", kReference, "$"})}});
    return {{"anyOf", either}};
}

// Names of mechanisms are taken in any case. The words are there to be offered.
Json mechanism(const Key& key) {
    std::string any_case;
    for (const std::string& each : built_words(key)) {
        if (!any_case.empty()) any_case += '|';
        for (const char octet : each) {
            const auto value = static_cast<unsigned char>(octet);
            if (std::isalpha(value) == 0) {
                any_case += octet;
            } else {
                any_case += {'[', octet, static_cast<char>(std::tolower(value)), ']'};
            }
        }
    }
    return {{"anyOf", {{{"enum", built_words(key)}}, text(any_case)}}};
}

// One value; of types that are lists or maps of values, one of them.
Json value_of(const Key& key) {
    switch (key.type) {
        case Type::Text:
        case Type::Path:
        case Type::TextMap: return scalar();
        case Type::Texts: return scalar_of_length(1);
        case Type::Secret:
        case Type::SecretFile:
        case Type::File: return key.is_required ? scalar_of_length(1) : scalar();
        case Type::Name:
        case Type::Names: return scalar(kName);
        case Type::Hostname:
            return scalar(joined({"|", kDomain, "|\\[(IPv6:)?(", kIpv4, "|", kIpv6, ")\\]"}));
        case Type::Url:
            return text(joined({"(rediss?(-sentinel)?|unix)://[^ ]+", key.is_required ? "" : "|"}));
        case Type::Word: return word(key);
        case Type::Words: return mechanism(key);
        case Type::Count: return number(key, "[0-9]+");
        case Type::AutoCount: return number(key, "auto|[0-9]+");
        case Type::Duration: return text(key.unbuilt == "*" ? "0+(ms|s|m|h|d)" : kDuration);
        case Type::DurationOrOff: return text(joined({"off|", kDuration}));
        case Type::Size:
        case Type::Amount: return number(key, kSize);
        case Type::Rate:
        case Type::RateMap: return rate();
        case Type::RateOrOff: return text(joined({"off|", kRateCount, kRateTime}));
        case Type::Bool: return {{"type", {"boolean", "string"}}, {"pattern", pattern("true|false")}};
        case Type::ListenAddress: return text(address());
        case Type::AddressOrOff: return text(joined({"|off|", address()}));
        case Type::Networks: return text(joined({"(", kIpv4, "|", kIpv6, ")(/[0-9]+)?"}));
        case Type::Servers: return text(joined({"unix:/.*|(", kDomain, "|\\[", kIpv6, "\\])", kPort}));
        case Type::Section:
        case Type::List:
        case Type::Named: break;
    }
    return Json::object();
}

// With everything in it commented out it is null, and that is the default.
Json container(const Key& key, const char* type) {
    if (key.is_required) return {{"type", type}, {"minItems", 1}};
    return {{"type", {type, "null"}}};
}

Json map_of(std::string_view parent);
Json backend(std::string_view parent);

Json of_type(const Key& key) {
    Json schema;
    if (key.type == Type::Section) {
        schema = map_of(key.path);
        schema["type"] = {"object", "null"};
    } else if (key.type == Type::List) {
        schema = container(key, "array");
        schema["items"] = map_of(joined({key.path, "[]"}));
    } else if (key.type == Type::Named) {
        schema = container(key, "object");
        schema["propertyNames"] = {{"pattern", joined({"^", kName, "$"})}};
        schema["additionalProperties"] = backend(joined({key.path, ".*"}));
    } else if (key.type == Type::TextMap || key.type == Type::RateMap) {
        schema = container(key, "object");
        schema["propertyNames"] = {{"pattern", "^[A-Za-z0-9_-]+$"}};
        schema["additionalProperties"] = value_of(key);
    } else if (is_value_list(key.type)) {
        schema = container(key, "array");
        schema["items"] = value_of(key);
        schema["uniqueItems"] = true;
    } else {
        schema = value_of(key);
    }
    return schema;
}

// By its type or its words in the schema.
bool explains_itself(Type type) {
    switch (type) {
        case Type::Section:
        case Type::List:
        case Type::Named:
        case Type::Text:
        case Type::Texts:
        case Type::TextMap:
        case Type::Secret:
        case Type::Word:
        case Type::Bool: return true;
        default: return false;
    }
}

std::string description(const Key& key) {
    std::string result(key.sentence);
    if (!explains_itself(key.type)) result += ". Expected: " + expectation(key);
    if (!key.is_reloadable) result += ". Read at start only";
    return result;
}

Json initial(const Key& key) {
    const Json bare = Json::parse(key.initial, nullptr, false);
    if (is_value_list(key.type)) return split_list(key.initial);
    const bool is_bare = key.type == Type::Count || key.type == Type::Bool || key.type == Type::TextMap ||
                         key.type == Type::RateMap;
    return is_bare && !bare.is_discarded() ? bare : Json(key.initial);
}

bool has_initial(const Key& key) {
    return !key.is_required && !key.is_optional && key.type != Type::Section && key.type != Type::List &&
           key.type != Type::Named;
}

Json property(const Key& key) {
    Json schema = {{"description", description(key)}};
    schema.update(of_type(key));
    const bool is_the_only_one = std::ranges::count(kKeys, key.path, &Key::path) == 1;
    if (is_the_only_one && has_initial(key)) schema["default"] = initial(key);
    return schema;
}

// The map of the keys right below `parent`, whatever its type.
Json map_of(std::string_view parent) {
    Json schema = {{"type", "object"}, {"properties", Json::object()}};
    Json required = Json::array();
    for (const Key& key : kKeys) {
        const std::string name(leaf_below(key.path, parent));
        if (name.empty() || name == "*" || schema["properties"].contains(name)) continue;
        schema["properties"][name] = property(key);
        if (key.is_required && key.variant.empty()) required.push_back(name);
    }
    if (!required.empty()) schema["required"] = required;
    schema["additionalProperties"] = false;
    return schema;
}

// What `type` says decides about the other keys; where it is a ${NAME}, all may be there.
Json backend(std::string_view parent) {
    Json schema = map_of(parent);
    for (const std::string& type : built_words(*find_key(joined({parent, ".type"})))) {
        Json names = Json::array();
        Json required = Json::array();
        for (const Key& key : kKeys) {
            const std::string name(leaf_below(key.path, parent));
            if (name.empty() || (!key.variant.empty() && key.variant != type)) continue;
            names.push_back(name);
            if (key.is_required) required.push_back(name);
        }
        schema["allOf"].push_back(
            {{"if", {{"properties", {{"type", {{"const", type}}}}}, {"required", {"type"}}}},
             {"then", {{"propertyNames", {{"enum", names}}}, {"required", required}}}});
    }
    return schema;
}

}  // namespace

void write_json_schema(std::ostream& out) {
    Json schema = {{"$schema", "http://json-schema.org/draft-07/schema#"},
                   {"title", "gatepost.yaml"},
                   {"description", "Generated from the table of keys (conf/keys.h): change it there."}};
    schema.update(map_of(""));
    out << schema.dump(2) << '\n';
}

}  // namespace gatepost::conf
