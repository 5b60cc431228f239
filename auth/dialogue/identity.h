// Who a client has proved to be. A value; any thread.
#pragma once

#include <string>

namespace gatepost::auth {

struct Identity {
    std::string user;            ///< canonical name: UTF-8, 1-255 octets, no controls, no blank at either end
    std::string mechanism;       ///< as in the EHLO line: "PLAIN"
    std::string upstream{};      ///< where the record says that its mail goes; "" = wherever others' goes
    std::string senders{};       ///< what the record lets him say in MAIL FROM: patterns, separated by commas
    std::string limit_class{};   ///< of the record; "" = none
    std::string backend;         ///< key under `backends:` that vouched for it
    bool is_remembered = false;  ///< by the credential cache, lately; nobody was asked this time
};

}  // namespace gatepost::auth
