#include "model/tokenize/token_text.h"

#include <array>

#include "model/tokenize/byte_alphabet.h"
#include "model/tokenize/metaspace.h"
#include "model/tokenize/utf8.h"

namespace plinth::model {

namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

std::string with_spaces(std::string_view text, std::string_view instead) {
  std::string out;
  while (true) {
    const auto at = text.find(kMetaspace);
    out += text.substr(0, at);
    if (at == std::string_view::npos) return out;
    out += instead;
    text.remove_prefix(at + kMetaspace.size());
  }
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

// As Hugging Face's WordPiece decoder with cleanup.
void clean_up(std::string& word) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 11> kRules = {{
      {" .", "."},
      {" ?", "?"},
      {" !", "!"},
      {" ,", ","},
      {" ' ", "'"},
      {" n't", "n't"},
      {" 'm", "'m"},
      {" do not", " don't"},
      {" 's", "'s"},
      {" 've", "'ve"},
      {" 're", "'re"},
  }};
  for (const auto& [from, to] : kRules) replace_all(word, from, to);
}

}  // namespace

void take_characters(std::string& held, std::string& out) {
  std::string_view rest = held;
  while (!rest.empty()) {
    bool incomplete = false;
    auto length = utf8_length(rest, incomplete);
    if (incomplete) break;
    if (length > 0) {
      out.append(rest.substr(0, length));
    } else {
      out += kReplacement;
      length = utf8_ill_formed_length(rest);
    }
    rest.remove_prefix(length);
  }
  held = std::string(rest);
}

TokenText::TokenText(const TokenizerSpec& spec) : spec_(spec) {
  std::vector<bool> literal(spec.tokens.size());
  for (const auto& added : spec.added) literal[static_cast<std::size_t>(added.id)] = true;
  byte_token_.resize(spec.tokens.size());
  build_bytes(literal);
}

void TokenText::build_bytes(const std::vector<bool>& literal) {
  bytes_.reserve(spec_.tokens.size());
  for (std::size_t i = 0; i < spec_.tokens.size(); ++i) {
    const std::string& text = spec_.tokens[i];
    switch (spec_.detokenizer.kind) {
      case Detokenizer::Kind::byte_level: {
        auto bytes = literal[i] ? std::nullopt : bytes_of_alphabet(text);
        bytes_.push_back(bytes ? *std::move(bytes) : text);
        break;
      }
      case Detokenizer::Kind::sentencepiece: {
        const auto byte = spec_.byte_fallback ? byte_token_value(text) : std::nullopt;
        byte_token_[i] = byte.has_value();
        bytes_.push_back(byte ? std::string(1, static_cast<char>(*byte)) : with_spaces(text, " "));
        break;
      }
      case Detokenizer::Kind::metaspace:
        bytes_.push_back(with_spaces(text, " "));
        break;
      case Detokenizer::Kind::wordpiece:
      case Detokenizer::Kind::spaced:
        bytes_.push_back(text);
        break;
    }
  }
}

DecodeState TokenText::begin(bool continues) const {
  DecodeState state;
  state.started = continues;
  if (!continues && spec_.detokenizer.kind == Detokenizer::Kind::sentencepiece)
    state.strip_left = spec_.detokenizer.strip_left;
  return state;
}

void TokenText::next(DecodeState& state, TokenId id, std::string& out) const {
  switch (spec_.detokenizer.kind) {
    case Detokenizer::Kind::byte_level:
      state.held += bytes(id);
      take_characters(state.held, out);
      break;
    case Detokenizer::Kind::sentencepiece:
      next_sentencepiece(state, id, out);
      break;
    case Detokenizer::Kind::metaspace:
      out += state.started
                 ? utf8_repaired(bytes(id))
                 : utf8_repaired(with_spaces(spec_.tokens[static_cast<std::size_t>(id)], ""));
      break;
    case Detokenizer::Kind::wordpiece:
      next_word(state, id, out);
      break;
    case Detokenizer::Kind::spaced:
      out += (state.started ? " " : "") + utf8_repaired(bytes(id));
      break;
  }
  state.started = true;
}

void TokenText::next_sentencepiece(DecodeState& state, TokenId id, std::string& out) const {
  std::string text;
  if (byte_token_[static_cast<std::size_t>(id)]) {
    state.held += bytes(id);
    take_characters(state.held, text);
  } else {
    end(state, out);
    text = utf8_repaired(bytes(id));
  }
  emit(state, text, out);
}

void TokenText::next_word(DecodeState& state, TokenId id, std::string& out) const {
  std::string word = utf8_repaired(bytes(id));
  if (state.started) {
    const std::string& prefix = spec_.detokenizer.prefix;
    if (word.starts_with(prefix)) {
      word.erase(0, prefix.size());
    } else {
      word.insert(0, 1, ' ');
    }
  }
  if (spec_.detokenizer.cleanup) clean_up(word);
  out += word;
}

void TokenText::end(DecodeState& state, std::string& out) const {
  if (state.held.empty()) return;
  std::string text;
  // Byte tokens that end inside a character are one replacement each, as Hugging Face has it; of
  // bytes of other tokens the whole beginning is one.
  if (spec_.detokenizer.kind == Detokenizer::Kind::sentencepiece) {
    for (std::size_t i = 0; i < state.held.size(); ++i) text += kReplacement;
  } else {
    text = utf8_repaired(state.held);
  }
  state.held.clear();
  emit(state, text, out);
}

void TokenText::emit(DecodeState& state, std::string_view text, std::string& out) {
  while (state.strip_left > 0 && text.starts_with(' ')) {
    text.remove_prefix(1);
    --state.strip_left;
  }
  if (!text.empty()) state.strip_left = 0;
  out += text;
}

}  // namespace plinth::model
