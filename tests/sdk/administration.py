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
def a_projects_key_administers_nothing(client):
    wrong = client.with_options(admin_api_key=client.api_key)
    expect(openai.PermissionDeniedError, lambda: wrong.admin.organization.projects.create(name="x"), status=403)


@test
def moderation_says_what_lists_find(client):
    answer = client.moderations.create(input=["Nice weather.", "I will kill you and everyone you love."])
    assert [result.flagged for result in answer.results] == [False, True], answer
    assert answer.results[1].categories.violence and not answer.results[1].categories.hate
