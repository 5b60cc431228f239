// What "limits" lines of a transcript tell of.
#pragma once

#include <charconv>
#include <chrono>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "proxy/policy/limit_store.h"

namespace gatepost::test {

/// "guess:ip:192.0.2.7 guess:net:192.0.2.0/24"; "limit:octets:fred*42" asks for 42, and
/// "-limit:octets:fred*42" gives them back.
inline std::string keys_of(const std::vector<policy::LimitQuestion>& questions) {
    std::string keys;
    for (const policy::LimitQuestion& question : questions) {
        if (!keys.empty()) keys += ' ';
        const bool is_given_back =
            question.counting == policy::Counting::kReturn || question.counting == policy::Counting::kLeave;
        if (is_given_back) keys += '-';
        keys += question.key.text;
        if (question.events != 1) keys += '*' + std::to_string(question.events);
    }
    return keys;
}

/// "allow", a number (allowed, and so many are used), "refused" (for a minute), "never" or "unavailable" for
/// each question; a single word is the answer to all. Nothing for other texts.
inline std::optional<policy::LimitAnswers> limit_answers_of(const std::string& text, std::size_t questions) {
    policy::LimitAnswers answers;
    std::istringstream in(text);
    for (std::string word; in >> word;) {
        std::uint64_t used = 0;
        const char* const end = word.data() + word.size();
        if (word == "allow") {
            answers.emplace_back(policy::Allow{});
        } else if (word == "refused") {
            answers.emplace_back(policy::Refused{.retry_after = std::chrono::minutes(1), .used = 20});
        } else if (word == "never") {
            answers.emplace_back(policy::Refused{.retry_after = Duration::max(), .used = 0});
        } else if (word == "unavailable") {
            answers.emplace_back(policy::Unavailable{});
        } else if (std::from_chars(word.data(), end, used).ptr == end) {
            answers.emplace_back(policy::Allow{used});
        } else {
            return std::nullopt;
        }
    }
    if (answers.size() == 1) answers.resize(questions, answers.front());
    if (answers.size() != questions) return std::nullopt;
    return answers;
}

}  // namespace gatepost::test
