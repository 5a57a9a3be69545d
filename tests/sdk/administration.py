"""Administration and moderation by the official SDK's own resources."""
import time

import openai

from harness import expect, test

USER = [{"role": "user", "content": "Say hi."}]


def organization(client):
    return client.with_options(admin_api_key=client.admin_api_key).admin.organization


@test
def projects_keys_and_accounts(client):
    admin = organization(client)
    project = admin.projects.create(name="from the SDK")
    assert project.status == "active" and project.id.startswith("proj_"), project
    assert project.id in [p.id for p in admin.projects.list(limit=1)], "pages are followed"
    assert admin.projects.retrieve(project.id).name == "from the SDK"
    account = admin.projects.service_accounts.create(project.id, name="robot")
    robot = client.with_options(api_key=account.api_key.value)
    answer = robot.chat.completions.create(model="smollm2", messages=USER, max_tokens=4, temperature=0)
    assert answer.usage.completion_tokens > 0
    keys = list(admin.projects.api_keys.list(project.id))
    assert [key.id for key in keys] == [account.api_key.id] and account.api_key.value not in keys[0].redacted_value, keys
    usage = admin.usage.completions(start_time=int(time.time()) - 60, bucket_width="1d", project_ids=[project.id],
                                    group_by=["project_id", "user_id", "model"])
    result, = [r for bucket in usage.data for r in bucket.results]
    assert (result.input_tokens, result.output_tokens) == (answer.usage.prompt_tokens, answer.usage.completion_tokens)
    assert (result.project_id, result.user_id, result.model) == (project.id, account.id, "smollm2"), result
    costs = admin.usage.costs(start_time=int(time.time()) - 60, project_ids=[project.id])
    assert costs.data[0].results[0].amount.currency == "usd", costs
    admin.projects.service_accounts.delete(account.id, project_id=project.id)
    expect(openai.AuthenticationError, lambda: robot.models.list(), status=401)
    assert admin.projects.archive(project.id).status == "archived"


@test
def a_rate_limit_limits(client):
    admin = organization(client)
    project = admin.projects.create(name="limited")
    account = admin.projects.service_accounts.create(project.id, name="robot")
    limit = admin.projects.rate_limits.update_rate_limit("rl-smollm2", project_id=project.id, max_requests_per_1_minute=1)
    assert limit.max_requests_per_1_minute == 1, limit
    assert "smollm2" in [one.model for one in admin.projects.rate_limits.list_rate_limits(project.id)]
    robot = client.with_options(api_key=account.api_key.value)
    ask = lambda: robot.chat.completions.create(model="smollm2", messages=USER, max_tokens=1)  # noqa: E731
    ask()
    error = expect(openai.RateLimitError, ask, code="rate_limit_exceeded", status=429)
    assert error.type == "requests" and int(error.response.headers["retry-after"]) > 0, error


@test
def a_spend_limit_limits(client):
    admin = organization(client)
    project = admin.projects.create(name="poor")
    account = admin.projects.service_accounts.create(project.id, name="robot")
    admin.projects.spend_limit.update(project.id, currency="USD", interval="month", threshold_amount=0)
    assert admin.projects.spend_limit.retrieve(project.id).enforcement.status == "enforcing"
    robot = client.with_options(api_key=account.api_key.value)
    ask = lambda: robot.chat.completions.create(model="smollm2", messages=USER, max_tokens=1)  # noqa: E731
    error = expect(openai.RateLimitError, ask, code="insufficient_quota", status=429)
    assert error.response.headers["x-should-retry"] == "false", error
    assert admin.projects.spend_limit.delete(project.id).deleted
    ask()


@test
def the_audit_log_says_who_did_what(client):
    admin = organization(client)
    begun = int(time.time())
    project = admin.projects.create(name="audited")
    account = admin.projects.service_accounts.create(project.id, name="robot")
    admin.projects.rate_limits.update_rate_limit("rl-smollm2", project_id=project.id, max_requests_per_1_minute=7)
    admin.projects.update(project.id, name="renamed")
    admin.projects.archive(project.id)
    entries = list(admin.audit_logs.list(project_ids=[project.id], effective_at={"gte": begun}, limit=2))
    assert [entry.type for entry in entries] == ["project.archived", "project.updated", "rate_limit.updated",
                                                 "service_account.created", "project.created"], entries
    assert entries[0].project_archived.id == project.id and entries[0].project.name == "renamed"
    assert entries[1].project_updated.changes_requested.title == "renamed"
    assert entries[2].rate_limit_updated.changes_requested.max_requests_per_1_minute == 7
    assert entries[3].service_account_created.id == account.id
    assert entries[3].service_account_created.data.role == "member"
    assert entries[4].project_created.data.title == "audited" and entries[4].project_created.id == project.id
    actor = entries[0].actor
    assert actor.type == "api_key" and actor.api_key.id == client.admin_api_key[10:22], actor
    assert begun <= entries[4].effective_at <= entries[0].effective_at <= time.time() + 1
    page = admin.audit_logs.list(before=entries[4].id, project_ids=[project.id], limit=2)
    assert [entry.id for entry in page.data] == [entries[2].id, entries[3].id], page
    of_key = admin.audit_logs.list(resource_ids=[account.api_key.id], event_types=["service_account.created"])
    assert [entry.id for entry in of_key.data] == [entries[3].id], of_key
    assert not admin.audit_logs.list(actor_emails=["nobody@example.com"]).data


@test
def a_projects_key_administers_nothing(client):
    wrong = client.with_options(admin_api_key=client.api_key)
    expect(openai.PermissionDeniedError, lambda: wrong.admin.organization.projects.create(name="x"), status=403)


@test
def moderation_says_what_lists_find(client):
    answer = client.moderations.create(input=["Nice weather.", "I will kill you and everyone you love."])
    assert [result.flagged for result in answer.results] == [False, True], answer
    assert answer.results[1].categories.violence and not answer.results[1].categories.hate
