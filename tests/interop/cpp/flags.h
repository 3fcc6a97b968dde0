// The programs' command lines: `--name=value`.
#pragma once

#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>

using Flags = std::map<std::string, std::string>;

// The flags with their values, over the given defaults. An unknown one throws.
inline Flags Parse(int argc, char** argv, Flags flags) {
  for (int n = 1; n < argc; ++n) {
    const std::string argument = argv[n];
    const auto begin = argument.find_first_not_of('-');
    const auto equals = argument.find('=');
    if (begin == std::string::npos || equals == std::string::npos)
      throw std::runtime_error(argument + " is not a flag with a value");
    const auto flag = flags.find(argument.substr(begin, equals - begin));
    if (flag == flags.end()) throw std::runtime_error(argument + " is not known here");
    flag->second = argument.substr(equals + 1);
  }
  return flags;
}

inline std::string Read(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}
