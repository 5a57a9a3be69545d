#include "apps/line_editor.h"

#include <fmt/format.h>
#include <histedit.h>
#include <langinfo.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <iostream>
#include <string_view>

#include "apps/terminal.h"

namespace plinth {

struct LineEditor::Impl {
  ::EditLine* editor = nullptr;
  ::History* history = nullptr;
  std::string prompt;
};

namespace {

constexpr int kHistoryLines = 500;

char* prompt_of(::EditLine* editor) {
  void* data = nullptr;
  ::el_get(editor, EL_CLIENTDATA, &data);
  return static_cast<std::string*>(data)->data();
}

// The editor counts columns by the locale's encoding; containers often run without one.
void use_utf8() {
  std::setlocale(LC_CTYPE, "");
  if (std::string_view(::nl_langinfo(CODESET)) != "UTF-8") std::setlocale(LC_CTYPE, "C.UTF-8");
}

}  // namespace

LineEditor::LineEditor() : impl_(std::make_unique<Impl>()) {
  if (!is_terminal(STDIN_FILENO) || !is_terminal(STDOUT_FILENO)) return;
  use_utf8();
  impl_->editor = ::el_init("plinth", stdin, stdout, stderr);
  if (impl_->editor == nullptr) return;
  impl_->history = ::history_init();
  HistEvent event;
  ::history(impl_->history, &event, H_SETSIZE, kHistoryLines);
  ::el_set(impl_->editor, EL_CLIENTDATA, &impl_->prompt);
  ::el_set(impl_->editor, EL_PROMPT, prompt_of);
  ::el_set(impl_->editor, EL_EDITOR, "emacs");
  ::el_set(impl_->editor, EL_HIST, ::history, impl_->history);
  ::el_set(impl_->editor, EL_BIND, "^R", "em-inc-search-prev", nullptr);
  // A Ctrl-D that was typed while nothing read reaches the editor as NUL: the terminal had made an
  // end of file of it.
  ::el_set(impl_->editor, EL_BIND, "^@", "em-delete-or-list", nullptr);
}

LineEditor::~LineEditor() {
  if (impl_->history != nullptr) ::history_end(impl_->history);
  if (impl_->editor != nullptr) ::el_end(impl_->editor);
}

std::optional<std::string> LineEditor::read(const std::string& prompt) {
  std::string line;
  if (impl_->editor == nullptr) {
    if (!std::getline(std::cin, line)) return std::nullopt;
    return line;
  }
  impl_->prompt = prompt;
  int length = 0;
  errno = 0;
  const char* text = ::el_gets(impl_->editor, &length);
  if (text == nullptr || length <= 0) {
    if (length < 0 && errno == EINTR) {
      ::el_reset(impl_->editor);
      fmt::print("\n");
      return "";
    }
    return std::nullopt;
  }
  line.assign(text, static_cast<std::size_t>(length));
  while (line.ends_with("\n") || line.ends_with("\r")) line.pop_back();
  if (!line.empty()) {
    HistEvent event;
    ::history(impl_->history, &event, H_ENTER, line.c_str());
  }
  return line;
}

}  // namespace plinth
