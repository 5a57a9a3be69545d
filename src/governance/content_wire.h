// Verdicts as Azure's wire has them (inference.json 2024-10-21), in the form that its service sends
// and clients read: innererror and content_filter_result, where its specification says otherwise.
#pragma once

#include <span>

#include "base/json.h"
#include "governance/content_verdict.h"

namespace plinth::governance {

// {hate{filtered, severity}, ..., jailbreak{detected, filtered}, custom_blocklists{filtered,
// details[{id, filtered}]}}: what the policy looks for, of choices and of prompts alike.
// personally_identifiable_information{detected, filtered, redacted, types} is ours. Where a
// detector failed, error{code: "content_filter_error", message} is added; why is for the log alone.
base::json::object content_filter_results(const ContentVerdict& verdict);

// [{prompt_index, content_filter_results}], in the order of the prompts.
base::json::array prompt_filter_results(std::span<const ContentVerdict> prompts);

// The body of the status 400 that answers a blocked prompt.
base::json::object content_filter_error(const ContentVerdict& verdict);

}  // namespace plinth::governance
