"""Administration and moderation by the official SDK's own resources."""
import os
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
def a_project_calls_the_models_that_it_may(client):
    admin = organization(client)
    project = admin.projects.create(name="picky")
    account = admin.projects.service_accounts.create(project.id, name="robot")
    robot = client.with_options(api_key=account.api_key.value)
    ask = lambda: robot.chat.completions.create(model="smollm2", messages=USER, max_tokens=1)  # noqa: E731
    rules = admin.projects.model_permissions
    first = rules.retrieve(project.id)
    assert (first.mode, first.api_model_ids, first.object) == ("deny_list", [], "project.model_permissions"), first
    ask()
    assert rules.update(project.id, mode="deny_list", model_ids=["smollm2"]).api_model_ids == ["smollm2"]
    expect(openai.PermissionDeniedError, ask, code="model_not_found", status=403)
    assert "smollm2" not in [model.id for model in robot.models.list()]
    expect(openai.NotFoundError, lambda: robot.models.retrieve("smollm2"), code="model_not_found")
    rules.update(project.id, mode="allow_list", model_ids=["smollm2"])
    ask()
    assert [model.id for model in robot.models.list()] == ["smollm2"]
    rules.update(project.id, mode="allow_list", model_ids=[])
    expect(openai.PermissionDeniedError, ask, code="model_not_found", status=403)
    assert rules.delete(project.id).deleted
    ask()


@test
def spend_alerts_tell_once(client):
    """The service writes its letters into the home."""
    admin = organization(client)
    project = admin.projects.create(name="watched")
    channel = {"type": "email", "recipients": ["ada@example.com"], "subject_prefix": "[ai]"}
    for alerts, whose in ((admin.spend_alerts, {}), (admin.projects.spend_alerts, {"project_id": project.id})):
        first = (project.id,) if whose else ()
        made = alerts.create(*first, currency="USD", interval="month", threshold_amount=100_000, notification_channel=channel)
        kind = "project" if whose else "organization"
        assert made.object == kind + ".spend_alert" and made.threshold_amount == 100_000, made
        assert made.notification_channel.recipients == ["ada@example.com"], made
        assert alerts.retrieve(made.id, **whose) == made
        second = alerts.create(*first, currency="USD", interval="month", threshold_amount=2, notification_channel=channel)
        assert [alert.id for alert in alerts.list(*first, limit=1)] == [made.id, second.id], "pages are followed"
        assert [alert.id for alert in alerts.list(*first, order="desc")] == [second.id, made.id]
        assert [alert.id for alert in alerts.list(*first, before=second.id)] == [made.id]
        changed = alerts.update(second.id, **whose, currency="USD", interval="month", threshold_amount=200_000,
                                notification_channel={"type": "email", "recipients": ["bob@example.com"]})
        assert changed.threshold_amount == 200_000 and changed.notification_channel.subject_prefix is None, changed
        gone = alerts.delete(second.id, **whose)
        assert gone.deleted and gone.object == kind + ".spend_alert.deleted", gone
        expect(openai.NotFoundError, lambda: alerts.retrieve(second.id, **whose))
        alerts.delete(made.id, **whose)
    expect(openai.BadRequestError, param="notification_channel", call=lambda: admin.spend_alerts.create(
        currency="USD", interval="month", threshold_amount=1, notification_channel={"type": "email", "recipients": ["ada"]}))


AUTHORITY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../fuzz/corpus/client_ca/authority")


@test
def authorities_are_kept_and_activated(client):
    admin = organization(client)
    project = admin.projects.create(name="certified")
    with open(AUTHORITY, encoding="utf-8") as file:
        pem = file.read()
    made = admin.certificates.create(certificate=pem, name="office")
    assert made.object == "certificate" and made.certificate_details.content is None, made
    whole = admin.certificates.retrieve(made.id, include=["content"])
    assert whole.certificate_details.content == pem, whole
    assert admin.certificates.update(made.id, name="laboratory").name == "laboratory"
    assert [(one.id, one.active) for one in admin.certificates.list(limit=1)] == [(made.id, False)]
    active, = admin.projects.certificates.activate(project.id, certificate_ids=[made.id])
    assert active.active and active.object == "organization.project.certificate", active
    assert [one.active for one in admin.projects.certificates.list(project.id)] == [True]
    expect(openai.BadRequestError, lambda: admin.certificates.delete(made.id))
    admin.projects.certificates.deactivate(project.id, certificate_ids=[made.id])
    everywhere, = admin.certificates.activate(certificate_ids=[made.id])
    assert everywhere.active, everywhere
    admin.certificates.deactivate(certificate_ids=[made.id])
    assert admin.certificates.delete(made.id).object == "certificate.deleted"
    expect(openai.BadRequestError, lambda: admin.certificates.create(certificate="hello"), param="certificate")


def join(admin, client, email, name, **invite):
    """Invites somebody and lets them accept: the token and its use are ours alone."""
    made = admin.invites.create(email=email, **{"role": "reader", **invite})
    assert made.status == "pending" and made.expires_at - made.created_at == 7 * 86400, made
    joined = client.post("/organization/invites/accept", body={"token": made.token, "name": name}, cast_to=object)
    assert admin.invites.retrieve(made.id).status == "accepted"
    return admin.users.retrieve(joined["id"])


@test
def people_join_by_invites(client):
    admin = organization(client)
    project = admin.projects.create(name="people")
    eve = admin.invites.create(email="eve@example.com", role="reader")
    assert admin.invites.delete(eve.id).deleted and eve.id not in [i.id for i in admin.invites.list(limit=1)]
    ada = join(admin, client, "Ada@example.com", "Ada", role="owner", projects=[{"id": project.id, "role": "owner"}])
    bob = join(admin, client, "bob@example.com", "Bob")
    assert (ada.object, ada.role, ada.name, ada.email) == ("organization.user", "owner", "Ada", "Ada@example.com"), ada
    assert bob.role == "reader" and [u.id for u in admin.users.list(limit=1)] == [ada.id, bob.id]
    assert [u.id for u in admin.users.list(emails=["BOB@example.com"])] == [bob.id]
    error = expect(openai.BadRequestError, lambda: admin.users.update(ada.id, role="reader"), status=400)
    assert "last owner" in str(error), error
    assert admin.users.update(bob.id, role="owner").role == "owner"
    assert admin.users.update(bob.id, role="reader").role == "reader"
    member = admin.projects.users.create(project.id, user_id=bob.id, role="member")
    assert (member.object, member.role, member.email) == ("organization.project.user", "member", "bob@example.com"), member
    assert [(u.id, u.role) for u in admin.projects.users.list(project.id)] == [(ada.id, "owner"), (bob.id, "member")]
    assert admin.projects.users.update(bob.id, project_id=project.id, role="owner").role == "owner"
    assert admin.projects.users.retrieve(bob.id, project_id=project.id).role == "owner"
    assert admin.projects.users.delete(bob.id, project_id=project.id).deleted
    assert admin.users.delete(bob.id).deleted
    expect(openai.NotFoundError, lambda: admin.users.retrieve(bob.id), status=404)


@test
def groups_and_roles(client):
    admin = organization(client)
    project = admin.projects.create(name="groups")
    cyd = join(admin, client, "cyd@example.com", "Cyd")
    group = admin.groups.create(name="Clerks")
    assert admin.groups.update(group.id, name="Counters").name == "Counters"
    assert admin.groups.retrieve(group.id).group_type == "group" and group.id in [g.id for g in admin.groups.list(limit=1)]
    assert admin.groups.users.create(group.id, user_id=cyd.id).object == "group.user"
    assert [u.email for u in admin.groups.users.list(group.id)] == ["cyd@example.com"]
    assert admin.groups.users.retrieve(cyd.id, group_id=group.id).user_type == "user"

    role = admin.roles.create(role_name="Counter", permissions=["usage.read"], description="counts")
    assert (role.object, role.predefined_role, role.resource_type) == ("role", False, "api.organization"), role
    assert admin.roles.update(role.id, permissions=["usage.read", "billing.read"]).permissions == ["usage.read", "billing.read"]
    names = [r.id for r in admin.roles.list(limit=3)]
    assert names[0] == "owner" and role.id in names and len(names) == len(set(names)), "pages are followed"
    assert admin.roles.retrieve("auditor").predefined_role
    given = admin.groups.roles.create(group.id, role_id=role.id)
    assert (given.object, given.group.id, given.role.id) == ("group.role", group.id, role.id), given
    through, = admin.users.roles.list(cyd.id)
    assert (through.id, through.assignment_sources[0].principal_id) == (role.id, group.id), through
    assert admin.users.roles.create(cyd.id, role_id="auditor").user.id == cyd.id
    assert admin.users.roles.retrieve("auditor", user_id=cyd.id).name == "Auditor"
    assert admin.users.roles.delete("auditor", user_id=cyd.id).deleted
    assert admin.groups.roles.retrieve(role.id, group_id=group.id).id == role.id
    assert [r.id for r in admin.groups.roles.list(group.id)] == [role.id]

    keeper = admin.projects.roles.create(project.id, role_name="Keeper", permissions=["keys.manage"])
    assert keeper.resource_type == "api.project" and keeper.id in [r.id for r in admin.projects.roles.list(project.id, limit=2)]
    assert admin.projects.roles.retrieve(keeper.id, project_id=project.id).name == "Keeper"
    assert admin.projects.roles.update(keeper.id, project_id=project.id, role_name="Keyholder").name == "Keyholder"
    entered = admin.projects.groups.create(project.id, group_id=group.id, role=keeper.id)
    assert (entered.object, entered.group_name) == ("project.group", "Counters"), entered
    assert [g.group_id for g in admin.projects.groups.list(project.id)] == [group.id]
    assert admin.projects.groups.retrieve(group.id, project_id=project.id).project_id == project.id
    assert [r.id for r in admin.projects.groups.roles.list(group.id, project_id=project.id)] == [keeper.id]
    assert admin.projects.groups.roles.create(group.id, project_id=project.id, role_id="user").object == "group.role"
    assert admin.projects.groups.roles.delete("user", project_id=project.id, group_id=group.id).deleted
    assert admin.projects.users.roles.create(cyd.id, project_id=project.id, role_id="user").role.id == "user"
    assert {r.id for r in admin.projects.users.roles.list(cyd.id, project_id=project.id)} == {"user", keeper.id}
    assert admin.projects.users.roles.delete("user", project_id=project.id, user_id=cyd.id).deleted
    assert admin.projects.groups.delete(group.id, project_id=project.id).deleted
    assert admin.projects.roles.delete(keeper.id, project_id=project.id).deleted
    assert admin.groups.roles.delete(role.id, group_id=group.id).deleted
    assert admin.groups.users.delete(cyd.id, group_id=group.id).deleted
    assert admin.groups.delete(group.id).deleted and admin.roles.delete(role.id).deleted
    assert admin.users.delete(cyd.id).deleted


@test
def keys_belong_to_users_and_accounts(client):
    admin = organization(client)
    project = admin.projects.create(name="owners")
    dan = join(admin, client, "dan@example.com", "Dan", projects=[{"id": project.id, "role": "member"}])
    made = client.with_options(api_key=client.admin_api_key).post(
        f"/organization/projects/{project.id}/api_keys", body={"name": "laptop", "user_id": dan.id}, cast_to=object)
    key, = admin.projects.api_keys.list(project.id)
    assert (key.owner.type, key.owner.user.id, key.owner_project_access) == ("user", dan.id, "active"), key
    laptop = client.with_options(api_key=made["value"])
    assert list(laptop.models.list())
    assert admin.projects.api_keys.update(key.id, project_id=project.id, scopes=["usage.read"]).id == key.id
    expect(openai.PermissionDeniedError, lambda: laptop.models.list(), status=403)
    admin.projects.api_keys.update(key.id, project_id=project.id, scopes=[])
    assert list(laptop.models.list())
    admin.users.delete(dan.id)
    expect(openai.AuthenticationError, lambda: laptop.models.list(), status=401)

    account = admin.projects.service_accounts.create(project.id, name="robot", create_service_account_only=True)
    assert account.role == "none" and account.api_key is None, account
    assert admin.projects.service_accounts.update(account.id, project_id=project.id, role="owner").role == "owner"
    second = admin.projects.service_accounts.api_keys.create(account.id, project_id=project.id, name="second")
    robot = client.with_options(admin_api_key=second.value).admin.organization
    assert robot.projects.retrieve(project.id).name == "owners"
    keys = robot.projects.api_keys.list(project.id)
    assert [(k.owner.type, k.owner.service_account.role) for k in keys] == [("service_account", "owner")]
    expect(openai.PermissionDeniedError, lambda: robot.projects.retrieve("default"), status=403)


@test
def an_admin_key_calls_no_models(client):
    wrong = client.with_options(api_key=client.admin_api_key)
    error = expect(openai.PermissionDeniedError, lambda: wrong.chat.completions.create(
        model="smollm2", messages=USER, max_tokens=1), status=403)
    assert "infer" in str(error), error


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


@test
def data_retention_is_set_and_inherited(client):
    admin = organization(client)
    before = admin.data_retention.retrieve()
    assert (before.object, before.type) == ("organization.data_retention", "modified_abuse_monitoring"), before
    project = admin.projects.create(name="discreet")
    own = admin.projects.data_retention
    assert own.retrieve(project.id).type == "organization_default"
    for kind in ("none", "zero_data_retention", "modified_abuse_monitoring", "enhanced_zero_data_retention",
                 "enhanced_modified_abuse_monitoring", "organization_default"):
        answer = own.update(project.id, retention_type=kind)
        assert (answer.object, answer.type) == ("project.data_retention", kind) == (answer.object, own.retrieve(project.id).type)
    held = own.update(project.id, retention_type="none", extra_body={"days": 30, "legal_hold": True})
    assert (held.days, held.legal_hold) == (30, True), held
    # What is not said stays.
    held = own.update(project.id, retention_type="zero_data_retention")
    assert (held.type, held.days, held.legal_hold) == ("zero_data_retention", 30, True), held
    expect(openai.BadRequestError, lambda: own.update(project.id, retention_type="forever"), param="retention_type")
    expect(openai.BadRequestError, lambda: admin.data_retention.update(retention_type="none"), param="retention_type")
    assert admin.data_retention.update(retention_type="zero_data_retention").type == "zero_data_retention"
    admin.data_retention.update(retention_type="modified_abuse_monitoring")
    # Under legal hold nothing is shredded, archived or not.
    shred = lambda **body: client.with_options(api_key=client.admin_api_key).post(  # noqa: E731
        f"/organization/projects/{project.id}/shred", body=body, cast_to=object)
    admin.projects.archive(project.id)
    expect(openai.BadRequestError, lambda: shred(confirm="another"), param="confirm")
    assert "legal hold" in str(expect(openai.BadRequestError, lambda: shred(confirm=project.id)))
    own.update(project.id, retention_type="none", extra_body={"days": 0, "legal_hold": False})
    assert shred(confirm=project.id)["object"] == "organization.project.shredded"
    types = [entry.type for entry in admin.audit_logs.list(project_ids=[project.id], limit=100)]
    assert types[0] == "project.shredded" and types.count("project.data_retention.updated") == 9, types
