"""Azure's dialect by the official clients: AzureOpenAI for the models, Azure's management SDK for what they answer under."""
import openai
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.mgmt.cognitiveservices import CognitiveServicesManagementClient

from harness import USER, expect, test

GROUP, ACCOUNT = "any", "default"


def root(client):
    return str(client.base_url).removesuffix("/v1/")


def azure(client, **options):
    return openai.AzureOpenAI(azure_endpoint=root(client), api_version="2024-10-21", max_retries=0, timeout=60,
                              **{"api_key": client.api_key, **options})


class Bearer(SansIOHTTPPolicy):
    """An admin key where Azure has a token; its own policy refuses plain HTTP."""
    def __init__(self, key):
        self.key = key

    def on_request(self, request):
        request.http_request.headers["Authorization"] = f"Bearer {self.key}"


def management(client):
    return CognitiveServicesManagementClient(object(), "any", base_url=root(client),
                                             authentication_policy=Bearer(client.admin_api_key))


def deploy(arm, name, policy=None, model="smollm2", **sku):
    return arm.deployments.begin_create_or_update(GROUP, ACCOUNT, name, {
        "sku": {"name": "Standard", **sku},
        "properties": {"model": {"format": "OpenAI", "name": model}, "raiPolicyName": policy},
    }).result()


@test
def a_model_is_a_deployment_of_its_name(client):
    whole = azure(client).chat.completions.create(model="smollm2", messages=USER, max_tokens=12, temperature=0)
    same = client.chat.completions.create(model="smollm2", messages=USER, max_tokens=12, temperature=0)
    assert whole.choices[0].message.content == same.choices[0].message.content
    assert whole.usage == same.usage.model_copy(update={"prompt_tokens_details": whole.usage.prompt_tokens_details})
    vector = azure(client).embeddings.create(model="all-minilm-l6-v2", input="Hi").data[0].embedding
    assert len(vector) == 384
    assert "smollm2" in [model.id for model in azure(client).models.list()]


@test
def azure_streams(client):
    chunks = list(azure(client).chat.completions.create(model="smollm2", messages=USER, max_tokens=12, temperature=0, stream=True))
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    whole = azure(client).chat.completions.create(model="smollm2", messages=USER, max_tokens=12, temperature=0)
    assert text == whole.choices[0].message.content
    assert azure(client).completions.create(model="smollm2", prompt="One, two,", max_tokens=4).choices[0].text


@test
def azure_errors(client):
    ask = lambda one, **options: one.chat.completions.create(  # noqa: E731
        **{"model": "smollm2", "messages": USER, "max_tokens": 1, **options})
    expect(openai.AuthenticationError, lambda: ask(azure(client, api_key="wrong")), code="401", status=401)
    expect(openai.NotFoundError, lambda: ask(azure(client), model="none"), code="DeploymentNotFound", status=404)
    expect(openai.BadRequestError, lambda: ask(azure(client), temperature=3), param="temperature", status=400)
    # The newer path, by the plain client.
    newer = openai.OpenAI(base_url=root(client) + "/openai/v1/", api_key=client.api_key, max_retries=0)
    assert ask(newer).choices


@test
def deployments_are_managed(client):
    arm = management(client)
    made = deploy(arm, "chat", capacity=1)
    assert made.name == "chat" and made.properties.provisioning_state == "Succeeded", made
    assert (made.sku.name, made.sku.capacity, made.properties.model.name) == ("Standard", 1, "smollm2"), made
    assert arm.deployments.get(GROUP, ACCOUNT, "chat").properties.rate_limits[1].count == 1000
    assert [one.name for one in arm.deployments.list(GROUP, ACCOUNT)] == ["chat"]
    ask = lambda: azure(client).chat.completions.with_raw_response.create(  # noqa: E731
        model="chat", messages=USER, max_tokens=1)
    headers = ask().headers
    assert headers["x-ms-deployment-name"] == "chat" and headers["x-ratelimit-limit-requests"] == "6", headers
    for _ in range(5):
        ask()
    error = expect(openai.RateLimitError, ask, code="429", status=429)
    assert int(error.response.headers["retry-after-ms"]) > 0, error
    models = [(one.name, one.is_default_version) for one in arm.accounts.list_models(GROUP, ACCOUNT)]
    assert ("smollm2", True) in models, models
    arm.deployments.begin_delete(GROUP, ACCOUNT, "chat").result()
    expect(openai.NotFoundError, ask, code="DeploymentNotFound", status=404)
    try:
        arm.deployments.get(GROUP, ACCOUNT, "chat")
        raise AssertionError("it is still there")
    except ResourceNotFoundError as gone:
        assert gone.error.code == "ResourceNotFound", gone
    try:
        deploy(arm, "chat", model="huge")
        raise AssertionError("a model that is not installed")
    except HttpResponseError as refused:
        assert refused.status_code == 400 and "huge" in refused.error.message, refused


@test
def an_account_has_two_keys(client):
    arm = management(client)
    keys = arm.accounts.list_keys(GROUP, ACCOUNT)
    call = lambda key: azure(client, api_key=key).models.list()  # noqa: E731
    call(keys.key1), call(keys.key2)
    hidden = arm.accounts.list_keys(GROUP, ACCOUNT)
    assert hidden.key1 != keys.key1 and "*" in hidden.key1, hidden
    fresh = arm.accounts.regenerate_key(GROUP, ACCOUNT, "Key2")
    expect(openai.AuthenticationError, lambda: call(keys.key2), status=401)
    call(keys.key1), call(fresh.key2)


@test
def content_policies_hold(client):
    arm = management(client)
    arm.rai_blocklists.create_or_update(GROUP, ACCOUNT, "words", {"properties": {"description": "ours"}})
    arm.rai_blocklist_items.batch_add(GROUP, ACCOUNT, "words", [
        {"name": "bird", "properties": {"pattern": "bluebird", "isRegex": False}}])
    arm.rai_policies.create_or_update(GROUP, ACCOUNT, "strict", {"properties": {
        "mode": "Default", "basePolicyName": "Microsoft.Default",
        "contentFilters": [{"name": "Violence", "enabled": True, "severityThreshold": "Low", "blocking": True, "source": "Prompt"}],
        "customBlocklists": [{"blocklistName": "words", "blocking": True, "source": "Prompt"}]}})
    assert "strict" in [policy.name for policy in arm.rai_policies.list(GROUP, ACCOUNT)]
    deploy(arm, "guarded", policy="strict")
    ask = lambda text, **options: azure(client).chat.completions.create(  # noqa: E731
        model="guarded", messages=[{"role": "user", "content": text}], max_tokens=4, **options)
    answer = ask("Name three colours.")
    results = answer.model_extra["prompt_filter_results"][0]["content_filter_results"]
    assert results["violence"] == {"filtered": False, "severity": "safe"}, results
    first = next(iter(ask("Name three colours.", stream=True)))
    assert first.choices == [] and first.model_extra["prompt_filter_results"], first
    for text in ["Where does the blue\u200bbird live?", "I will kill you and everyone you love."]:
        error = expect(openai.BadRequestError, lambda: ask(text), param="prompt", code="content_filter", status=400)
        assert error.body["innererror"]["code"] == "ResponsibleAIPolicyViolation", error.body
    arm.deployments.begin_delete(GROUP, ACCOUNT, "guarded").result()
    arm.rai_policies.begin_delete(GROUP, ACCOUNT, "strict").result()
    arm.rai_blocklists.begin_delete(GROUP, ACCOUNT, "words").result()
