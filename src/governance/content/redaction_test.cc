#include "governance/content/redaction.h"

#include <gtest/gtest.h>

namespace plinth::governance {
namespace {

TEST(Redactions, LabelsReplaceSpansOnceInTheirOrder) {
  Redactions redactions;
  const std::string text = "0123456789";
  redactions.add({PiiType::phone, 6, 8});
  redactions.add({PiiType::email, 1, 4});
  redactions.add({PiiType::iban, 2, 5});
  std::string out;
  redactions.append_to(out, text, 0, 3);
  EXPECT_EQ(out, "0[EMAIL]");
  EXPECT_EQ(redactions.written(), 5u);
  redactions.append_to(out, text.substr(5), 5, 6);
  EXPECT_EQ(out, "0[EMAIL]5");
  redactions.append_to(out, text.substr(6), 6, 10);
  EXPECT_EQ(out, "0[EMAIL]5[PHONE]89");
}

}  // namespace
}  // namespace plinth::governance
