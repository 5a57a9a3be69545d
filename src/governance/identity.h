// Who signed in.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace plinth::governance {

// `issuer` and `subject` together name a person or a program for good. All else may change, and
// says nothing about who it is: an address can be given to somebody else.
struct Identity {
  std::string issuer;
  std::string subject;
  std::string email;                // empty where none, or where the provider calls it unverified
  std::string name;                 // to show
  std::vector<std::string> roles;   // sorted, of our own naming
  std::vector<std::string> groups;  // the same
  std::int64_t expires_unix_s = 0;  // when the proof ends: a session has its own end
  bool email_verified = false;      // the provider says so itself
  bool program = false;             // nobody's, as the provider says: a service principal's token
  bool operator==(const Identity&) const = default;
};

}  // namespace plinth::governance
