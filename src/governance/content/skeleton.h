// The Latin letter that a character is meant to look like: "k1ll", "kіll" with a Cyrillic і,
// "ᴋɪʟʟ".
#pragma once

namespace plinth::governance {

struct Skeleton {
  char32_t letter = 0;
  // The character has a life of its own (a digit, a letter of another script), so that a word made
  // of such characters alone is no disguise.
  bool ambiguous = false;
};

// `code` is a normalised character. What looks like no letter is its own skeleton; hyphens and
// underscores are spaces, since they part words.
Skeleton skeleton_of(char32_t code);

}  // namespace plinth::governance
