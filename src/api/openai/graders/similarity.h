// How like a text is to its reference, between 0 and 1, by the metrics of the field.
#pragma once

#include <string_view>

namespace plinth::api {

// The share of characters that both have in the same order, twice their longest common subsequence
// by both lengths. What is no UTF-8 is compared by bytes.
double fuzzy_match(std::string_view text, std::string_view reference);

// Words are lower-cased in ASCII; signs are words of their own but for the ROUGE metrics, which
// pass over them. An empty text is like an empty reference and nothing else.

// Up to four words; counts beyond the first are smoothed by one. Papineni et al., "BLEU", 2002; Lin
// and Och, "ORANGE", 2004.
double bleu(std::string_view text, std::string_view reference);
// The lesser of precision and recall over one to four words. Wu et al., "Google's neural machine
// translation system", 2016.
double gleu(std::string_view text, std::string_view reference);
// Of words that are equal: no stems, no synonyms. Banerjee and Lavie, "METEOR", 2005.
double meteor(std::string_view text, std::string_view reference);
// F1 over `n` words in a row. Lin, "ROUGE", 2004.
double rouge(int n, std::string_view text, std::string_view reference);
// F1 of the longest common subsequence of words.
double rouge_l(std::string_view text, std::string_view reference);

}  // namespace plinth::api
