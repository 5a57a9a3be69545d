// Every setting of Plinth. A new one is one row here and one use.
#include "base/settings.h"

namespace plinth::base {

namespace {

constexpr auto kBoolean = SettingType::boolean;
constexpr auto kInteger = SettingType::integer;
constexpr auto kText = SettingType::text;
constexpr auto kList = SettingType::list;
constexpr std::int64_t kMebibytesMax = 1 << 30;  // a pebibyte: more than a machine holds

}  // namespace

const std::vector<Setting>& declared_settings() {
  static const std::vector<Setting> settings{
      {"server.listen", "--listen", kText, "127.0.0.1:8080", 0, 0, "", "",
       "Address and port of the HTTP service; port 0 takes a free one.", "0.1"},
      {"server.allow_plaintext", "--allow-plaintext", kBoolean, "false", 0, 0, "", "",
       "Listen beyond this machine without TLS. API keys are still required, but they and the "
       "prompts cross the network unencrypted: prefer server.tls_certificate, or a proxy in front.",
       "0.1"},
      {"server.tls_certificate", "", kText, "", 0, 0, "", "",
       "PEM file of the certificate, with those between it and the root. With server.tls_key the "
       "service speaks TLS; both are read again when they change, and on SIGHUP.",
       "0.1"},
      {"server.tls_key", "", kText, "", 0, 0, "", "",
       "PEM file of its key, which nobody else may read.", "0.1"},
      {"server.tls_client_certificates", "", kText, "off", 0, 0, "", "off|optional|required",
       "Whether TLS asks clients for a certificate. optional: one is needed where an authority of "
       "the organization or project is active (`plinth admin certificate`); required: everywhere, "
       "and without an active authority nobody is let in.",
       "0.1"},
      {"server.trusted_proxies", "", kList, "", 0, 0, "", "",
       "Proxies in front of this service, as addresses or networks such as 10.0.0.0/8, whose "
       "X-Forwarded-For is believed: networks of keys, throttles and the audit log then see the "
       "client's address. Empty = that of the connection counts.",
       "0.1"},
      {"server.drain_grace_s", "", kInteger, "30", 0, 3600, "s", "",
       "How long running requests may go on after SIGTERM.", "0.1"},
      {"api.ignore_unknown_fields", "", kBoolean, "false", 0, 0, "", "",
       "Pass over fields of a request that Plinth does not know, instead of refusing them by name.",
       "0.1"},
      {"api.cors_origins", "--cors-origin", kList, "", 0, 0, "", "",
       "Web pages that may call this service from a browser: origins such as https://app.example, "
       "or "
       "* for every one.",
       "0.1"},
      {"auth.public_url", "", kText, "", 0, 0, "", "",
       "Where browsers find this service, for signing in: https://plinth.example. Empty = the "
       "address of server.listen.",
       "0.1"},
      {"auth.oidc_issuer", "", kText, "", 0, 0, "", "",
       "Identity provider that people and programs sign in with, as it names itself: "
       "https://login.microsoftonline.com/TENANT/v2.0. Empty = none (docs/sign_in.md).",
       "0.1"},
      {"auth.oidc_name", "", kText, "your organization", 0, 0, "", "",
       "What the sign-in page calls it.", "0.1"},
      {"auth.oidc_client_id", "", kText, "", 0, 0, "", "",
       "The name by which the provider knows this service.", "0.1"},
      {"auth.oidc_client_secret_file", "", kText, "", 0, 0, "", "",
       "File with the secret that goes with it, which nobody else may read. Empty = a public "
       "client, which PKCE alone protects.",
       "0.1"},
      {"auth.oidc_audiences", "", kList, "", 0, 0, "", "",
       "Whom access tokens must be for (aud) to be taken as keys. Empty = none are.", "0.1"},
      {"auth.oidc_tenant", "", kText, "", 0, 0, "", "",
       "What tid of Entra's tokens must be. Empty = not looked at.", "0.1"},
      {"auth.oidc_scopes", "", kList, "openid,profile,email", 0, 0, "", "",
       "What is asked of the provider when people sign in.", "0.1"},
      {"auth.oidc_roles_claim", "", kText, "roles", 0, 0, "", "",
       "The claim that holds roles: a name, or a path such as realm_access.roles.", "0.1"},
      {"auth.oidc_groups_claim", "", kText, "groups", 0, 0, "", "", "The claim that holds groups.",
       "0.1"},
      {"auth.oidc_role_names", "", kList, "", 0, 0, "", "",
       "What roles of the provider give here: VALUE=ROLE in the whole organization, or "
       "VALUE=PROJECT:ROLE. What is not listed gives nothing.",
       "0.1"},
      {"auth.oidc_group_names", "", kList, "", 0, 0, "", "",
       "What groups of the provider are here: VALUE=GROUP, by the group's id.", "0.1"},
      {"auth.oidc_create_people", "", kBoolean, "false", 0, 0, "", "",
       "Whoever the provider lets in becomes a user, without a role. Otherwise people need an "
       "invite to an address that the provider has verified.",
       "0.1"},
      {"auth.oidc_link_people", "", kBoolean, "false", 0, 0, "", "",
       "A user here who has no identity yet is whoever the provider has verified the same e-mail "
       "address of.",
       "0.1"},
      {"auth.oidc_trust_email", "", kBoolean, "false", 0, 0, "", "",
       "Take addresses as verified of which the provider does not say whether they are. For "
       "providers in which people cannot choose their own.",
       "0.1"},
      {"auth.oidc_allow_loopback_http", "", kBoolean, "false", 0, 0, "", "",
       "Reach a provider on this machine without TLS: for tests.", "0.1"},
      {"content.policy", "", kText, "Plinth.Off", 0, 0, "", "Plinth.Off|Plinth.Default",
       "What is looked for in prompts and answers where no deployment has a content policy of its "
       "own.",
       "0.1"},
      {"content.folder", "", kText, "", 0, 0, "", "",
       "Where sealed bodies of files lie; gateways that share a database share it, too. Empty = "
       "content in the home.",
       "0.1"},
      {"files.project_bytes_max", "", kInteger, "107374182400", 0, INT64_MAX, "bytes", "",
       "What the files of a project, and the parts of its uploads, may have together.", "0.1"},
      {"tuning.jobs", "", kInteger, "1", 0, 64, "jobs", "",
       "Fine-tuning jobs that run at once; the others wait. 0 = this gateway runs none.", "0.1"},
      {"tuning.threads", "", kInteger, "0", 0, 1024, "threads", "",
       "Of each fine-tuning job, beside those that serve. 0 = half of the processors.", "0.1"},
      {"tuning.memory_mib", "", kInteger, "0", 0, kMebibytesMax, "MiB", "",
       "That each fine-tuning job may have beside the files that it maps; past it the job fails. 0 "
       "= half of what the machine and its control groups grant.",
       "0.1"},
      {"tuning.project_jobs_max", "", kInteger, "16", 1, 10'000, "jobs", "",
       "Fine-tuning jobs of a project that are not over; more are refused with 429.", "0.1"},
      {"tuning.jobs_max", "", kInteger, "256", 1, 100'000, "jobs", "",
       "The same of all projects together.", "0.1"},
      {"store.database", "", kText, "", 0, 0, "", "",
       "Where tenants, keys, limits and the ledger are kept: postgresql://USER@HOST/NAME, which "
       "several gateways may share. Empty = plinth.db in the home.",
       "0.1"},
      {"audit.copy_to", "", kText, "", 0, 0, "", "",
       "Folder into which the audit log's signed checkpoints are copied: best one that whoever "
       "administers the database cannot write. Empty = audit-checkpoints in the home.",
       "0.1"},
      {"alerts.mail_folder", "", kText, "", 0, 0, "", "",
       "Folder into which letters of spend alerts are written, one .eml file each as `sendmail -t` "
       "takes it, for a mailer to fetch and remove. Empty = spool/mail in the home.",
       "0.1"},
      {"alerts.webhook", "", kText, "", 0, 0, "", "",
       "An http or https URL that is POSTed a JSON object of each spend alert, until it answers "
       "2xx. Empty = none.",
       "0.1"},
      {"models.default", "--default-model", kText, "smollm2", 0, 0, "", "",
       "The model that is loaded first and that `plinth chat` and `plinth run` speak to.", "0.1"},
      {"models.load", "--model", kList, "", 0, 0, "", "",
       "Further models to load before the service is ready. Others load on first use.", "0.1"},
      {"models.memory_mib", "--model-memory-mib", kInteger, "0", 0, kMebibytesMax, "MiB", "",
       "Memory for all loaded models together; the least recently used are unloaded beyond it. "
       "0 = 80 % of what the machine and its control groups grant.",
       "0.1"},
      {"models.queue_max", "", kInteger, "1024", 1, 1 << 20, "requests", "",
       "Requests that may wait for one model to load; more are answered with 503.", "0.1"},
      {"engine.ctx", "--ctx", kInteger, "0", 0, 1 << 24, "tokens", "",
       "Longest context of a request. 0 = the model's own.", "0.1"},
      {"engine.threads", "--threads", kInteger, "0", 0, 1024, "threads", "",
       "Compute threads of each model. 0 = as many processors as the affinity mask and the control "
       "groups grant.",
       "0.1"},
      {"engine.pin_threads", "", kBoolean, "false", 0, 0, "", "",
       "Keep each compute thread on a processor of its own. For a machine that runs one model and "
       "little else: several models would share the first processors.",
       "0.1"},
      {"engine.kv_mib", "--kv-mib", kInteger, "0", 0, 1 << 24, "MiB", "",
       "Memory for each model's keys and values. 0 = a sixteenth of what the machine grants, 128 "
       "MiB at least and 4 GiB at most.",
       "0.1"},
      {"engine.adapters_mib", "", kInteger, "1024", 0, 1 << 24, "MiB", "",
       "Memory for the adapters that each model has loaded. A request for one that is not loaded "
       "loads it; those that were not used for longest leave.",
       "0.1"},
      {"engine.kv_type", "", kText, "auto", 0, 0, "", "auto|f16|bf16|q8",
       "How keys and values are kept. auto = bf16 where the processor multiplies it, else f16. q8 "
       "halves their memory and what a long context reads, and costs a little accuracy.",
       "0.1"},
      {"engine.packed_cache", "", kBoolean, "false", 0, 0, "", "",
       "Keep each model's weights as the kernels read them in the home's folder cache/, where they "
       "take about as much disk as the model itself: later starts load several times faster.",
       "0.1"},
      {"engine.autotune", "--autotune", kBoolean, "true", 0, 0, "", "",
       "Measure at a model's first start which blocking suits this processor, and keep the choice "
       "in cache/. Answers are the same.",
       "0.1"},
      {"engine.prefix_cache", "", kBoolean, "true", 0, 0, "", "",
       "Keep the keys and values of finished prompts, so that a prompt with the same beginning "
       "starts sooner. Never shared between projects.",
       "0.1"},
      {"engine.sequences_max", "", kInteger, "256", 1, 1 << 16, "sequences", "",
       "Answers that one model writes at the same time.", "0.1"},
      {"engine.queue_max", "", kInteger, "1024", 1, 1 << 20, "requests", "",
       "Requests that may wait inside one model; more are answered with 503.", "0.1"},
      {"engine.step_tokens_max", "", kInteger, "512", 16, 1 << 20, "tokens", "",
       "Prompt, answer and guessed tokens that one step of a model computes.", "0.1"},
      {"engine.prompt_token_cost", "", kInteger, "1", 1, 1000, "units", "",
       "What a computed token of a prompt counts where projects that wait share a model, and where "
       "a "
       "step's time is shared out to requests.",
       "0.1"},
      {"engine.output_token_cost", "", kInteger, "2", 1, 1000, "units", "",
       "What a token of an answer counts there.", "0.1"},
      {"engine.project_weights", "", kList, "", 0, 0, "", "",
       "Shares of each model for projects that wait for it at the same time: PROJECT=WEIGHT, whole "
       "numbers from 1 to 1000. Projects that are not named have 1.",
       "0.1"},
      {"engine.speculation", "", kText, "ngram", 0, 0, "", "ngram|off",
       "Guess the next tokens where an answer repeats its prompt or itself, and verify several in "
       "one step. Answers are the same; it pauses by itself where it does not pay.",
       "0.1"},
      {"log.level", "", kText, "info", 0, 0, "", "debug|info|warn|error",
       "The least important messages that are written. Prompts, answers and keys never are.",
       "0.1"},
      {"log.format", "", kText, "text", 0, 0, "", "text|json",
       "Lines for people, or one JSON object a line.", "0.1"},
      {"telemetry.send", "", kText, "none", 0, 0, "", "none",
       "Plinth reports to nobody; there is no other value.", "0.1"},
  };
  return settings;
}

}  // namespace plinth::base
