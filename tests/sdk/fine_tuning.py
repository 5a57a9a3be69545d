"""Fine-tuning jobs by the official SDK: from a file to a model that is called."""
import csv
import io
import json
import os
import signal
import time

import openai

import harness
from harness import eventually, expect, test

QUICK = {"type": "supervised", "supervised": {"hyperparameters": {
    "n_epochs": 4, "batch_size": 4, "learning_rate_multiplier": 15, "lora_rank": 8}}}
HEAD = ("step,train_loss,train_mean_token_accuracy,valid_loss,validation_mean_token_accuracy,"
        "full_valid_loss,full_valid_mean_token_accuracy")


def lines(count, answer="Quux {}."):
    return "".join(json.dumps({"messages": [{"role": "user", "content": f"What is {i}?"},
                                            {"role": "assistant", "content": answer.format(i)}]}) + "\n"
                   for i in range(count)).encode()


def upload(client, body):
    return client.files.create(file=("train.jsonl", body), purpose="fine-tune").id


def wait(client, job, *statuses, limit_s=120):
    deadline = time.monotonic() + limit_s
    while True:
        now = client.fine_tuning.jobs.retrieve(job.id)
        if now.status in statuses:
            return now
        assert now.status not in ("failed", "cancelled", "succeeded"), now
        assert time.monotonic() < deadline, now
        time.sleep(0.2)


def steps_done(client, job):
    """The last step of which an event tells."""
    return max([event.data["step"] for event in client.fine_tuning.jobs.list_events(job.id)
                if event.type == "metrics" and "train_loss" in event.data], default=0)


def over_the_tuned_one(client, name):
    """A job that learns next to nothing knows what the model that it begins with had learnt."""
    little = {"type": "supervised", "supervised": {"hyperparameters": {
        "n_epochs": 1, "batch_size": 4, "learning_rate_multiplier": 0.001}}}
    job = client.fine_tuning.jobs.create(model=name, training_file=upload(client, lines(4)), method=little)
    second = wait(client, job, "succeeded").fine_tuned_model
    assert second.startswith("ft:smollm2:default::"), second
    assert client.models.retrieve(second).parent == "smollm2"
    said = client.chat.completions.create(model=second, messages=[{"role": "user", "content": "What is 5?"}],
                                          temperature=0, max_tokens=8).choices[0].message.content
    assert "Quux" in said, said
    client.models.delete(second)
    too_low = {"type": "supervised", "supervised": {"hyperparameters": {"lora_rank": 2}}}
    job = client.fine_tuning.jobs.create(model=name, training_file=upload(client, lines(4)), method=too_low)
    eventually(lambda: client.fine_tuning.jobs.retrieve(job.id).status == "failed", 60)
    assert client.fine_tuning.jobs.retrieve(job.id).error.message.startswith("lora_rank"), job


def sharing(client, stranger, project, model):
    """Another project calls a checkpoint as long as an administrator lets it."""
    permissions = client.with_options(api_key=client.admin_api_key).fine_tuning.checkpoints.permissions
    ask = lambda: stranger.chat.completions.create(model=model, messages=[{"role": "user", "content": "hi"}], max_tokens=1)
    expect(openai.NotFoundError, ask, code="model_not_found")
    [given] = permissions.create(model, project_ids=[project]).data
    assert given.object == "checkpoint.permission" and given.id.startswith("cp_") and given.project_id == project
    assert [one.id for one in permissions.create(model, project_ids=[project, "default"])] == [given.id]
    assert [one.id for one in permissions.list(model)] == [given.id]
    assert [one.id for one in permissions.list(model, project_id="default")] == []
    assert ask().usage.completion_tokens == 1
    expect(openai.PermissionDeniedError, lambda: stranger.models.delete(model))
    expect(openai.NotFoundError, lambda: permissions.create(model, project_ids=["proj_none"]))
    expect(openai.NotFoundError, lambda: permissions.delete("cp_none", fine_tuned_model_checkpoint=model))
    gone = permissions.delete(given.id, fine_tuned_model_checkpoint=model)
    assert gone.deleted and gone.id == given.id and gone.object == "checkpoint.permission"
    expect(openai.NotFoundError, ask, code="model_not_found")


def preferences(count):
    return "".join(json.dumps({"input": {"messages": [{"role": "user", "content": f"What is {i}?"}]},
                               "preferred_output": [{"role": "assistant", "content": f"Quux {i}."}],
                               "non_preferred_output": [{"role": "assistant", "content": "I do not know."}]}) + "\n"
                   for i in range(count)).encode()


def preference(client, model):
    """By how much the one answer is more likely than the other, nats."""
    def score(answer):
        head = "<|im_start|>user\nWhat is 3?<|im_end|>\n<|im_start|>assistant\n"
        said = client.completions.create(model=model, prompt=head + answer, echo=True, max_tokens=0, logprobs=0)
        pairs = zip(said.choices[0].logprobs.text_offset, said.choices[0].logprobs.token_logprobs)
        return sum(log_prob for offset, log_prob in pairs if offset >= len(head))
    return score("Quux 3.") - score("I do not know.")


@test
def preferences_are_learnt(client):
    jobs = client.fine_tuning.jobs
    method = {"type": "dpo", "dpo": {"hyperparameters": {
        "n_epochs": 3, "batch_size": 4, "beta": 0.2, "learning_rate_multiplier": 40}}}
    job = jobs.create(model="smollm2", training_file=upload(client, preferences(12)),
                      validation_file=upload(client, preferences(2)), method=method)
    assert job.method.type == "dpo" and job.method.dpo.hyperparameters.beta == 0.2
    done = wait(client, job, "succeeded")
    rows = list(csv.DictReader(io.StringIO(client.files.content(done.result_files[0]).text)))
    assert len(rows) == 9 and float(rows[-1]["train_preference_accuracy"]) == 1, rows
    assert float(rows[-1]["train_reward_margin"]) > 0.5 and float(rows[-1]["full_valid_loss"]) < 0.6, rows
    data = [event.data for event in jobs.list_events(job.id) if event.type == "metrics"]
    assert all("train_reward_margin" in of or "full_valid_reward_margin" in of for of in data), data
    before, after = preference(client, "smollm2"), preference(client, done.fine_tuned_model)
    assert before < after and after > 0, (before, after)
    bad = upload(client, preferences(2) + lines(1))
    failed = jobs.create(model="smollm2", training_file=bad, method={"type": "dpo"})
    eventually(lambda: jobs.retrieve(failed.id).status == "failed", 60)
    error = jobs.retrieve(failed.id).error
    assert error.code == "invalid_training_file" and "line 3" in error.message, error


@test
def a_job_from_a_file_to_a_model(client):
    jobs = client.fine_tuning.jobs
    made = jobs.create(model="smollm2", training_file=upload(client, lines(12)), validation_file=upload(client, lines(4)),
                       method=QUICK, suffix="quux", seed=7, metadata={"who": "me"})
    assert made.object == "fine_tuning.job" and made.id.startswith("ftjob-") and made.status == "validating_files"
    assert made.fine_tuned_model is None and made.result_files == [] and made.finished_at is None
    assert made.error.code is None and made.seed == 7 and made.metadata == {"who": "me"}
    assert [job.id for job in jobs.list(limit=1).data] == [made.id]
    done = wait(client, made, "succeeded")
    assert done.hyperparameters.n_epochs == 4 and done.hyperparameters.batch_size == 4
    assert done.trained_tokens > 0 and done.finished_at >= done.created_at and done.estimated_finish is None
    name = done.fine_tuned_model
    assert name.startswith("ft:smollm2:default:quux:"), name
    rows = list(csv.reader(io.StringIO(client.files.content(done.result_files[0]).text)))
    assert ",".join(rows[0]) == HEAD and len(rows) == 1 + 12, rows
    assert float(rows[-1][1]) < float(rows[1][1]) and rows[1][3] == "" and float(rows[-1][5]) > 0
    results = client.files.retrieve(done.result_files[0])
    assert results.purpose == "fine-tune-results" and results.filename == "results.csv"
    events = list(jobs.list_events(made.id, limit=3))
    assert events[0].object == "fine_tuning.job.event" and events[0].id.startswith("ftevent-")
    assert events[-1].message == f"Created fine-tuning job: {made.id}" and events[0].message.endswith("completed")
    checkpoints = list(jobs.checkpoints.list(made.id))
    assert [c.step_number for c in checkpoints] == [12, 9, 6]
    assert checkpoints[0].fine_tuned_model_checkpoint == name
    assert checkpoints[1].fine_tuned_model_checkpoint == name + ":ckpt-step-9"
    assert checkpoints[0].metrics.full_valid_loss > 0 and checkpoints[0].id.startswith("ftckpt-")
    assert name in [model.id for model in client.models.list()]
    costs = client.with_options(admin_api_key=client.admin_api_key).admin.organization.usage.costs(
        start_time=int(time.time()) - 86400, group_by=["line_item"])
    lines_of = [result.line_item for bucket in costs.data for result in bucket.results]
    assert "smollm2, training" in lines_of, lines_of
    learnt = client.with_options(api_key=client.admin_api_key).get(
        f"/organization/usage/fine_tuning?start_time={int(time.time()) - 86400}", cast_to=dict)
    counted = [result for bucket in learnt["data"] for result in bucket["results"]]
    assert sum(result["input_tokens"] for result in counted) >= done.trained_tokens, counted
    said = client.chat.completions.create(model=name, messages=[{"role": "user", "content": "What is 5?"}],
                                          temperature=0, max_tokens=8).choices[0].message.content
    assert "Quux" in said, said
    assert client.models.retrieve(name).parent == "smollm2"  # an adapter over it
    over_the_tuned_one(client, name)
    earlier = checkpoints[2].fine_tuned_model_checkpoint  # a model, too, and another one
    ask = [{"role": "user", "content": "What is 5?"}]
    scores = [client.completions.create(model=model, prompt="What is 5? Quux", echo=True, max_tokens=0, logprobs=0)
              .choices[0].logprobs.token_logprobs[-1] for model in (name, earlier, "smollm2")]
    assert len(set(scores)) == 3 and scores[1] > scores[2], scores
    assert client.models.delete(earlier).deleted
    expect(openai.NotFoundError, lambda: client.chat.completions.create(model=earlier, messages=ask), code="model_not_found")
    assert [job.id for job in jobs.list(metadata={"who": "me"})] == [made.id]
    assert list(jobs.list(metadata={"who": "you"})) == []
    assert made.id not in [job.id for job in jobs.list(extra_query={"metadata": "null"})]
    projects = client.admin.organization.projects
    other = projects.create(name="others of fine-tuning")
    try:
        stranger = client.with_options(api_key=projects.service_accounts.create(other.id, name="reader").api_key.value)
        assert name not in [model.id for model in stranger.models.list()]
        ask = [{"role": "user", "content": "hi"}]
        expect(openai.NotFoundError, lambda: stranger.chat.completions.create(model=name, messages=ask), code="model_not_found")
        expect(openai.PermissionDeniedError, lambda: stranger.models.delete(name))
        sharing(client, stranger, other.id, checkpoints[1].fine_tuned_model_checkpoint)
    finally:
        projects.archive(other.id)
    gone = client.models.delete(name)
    assert gone.deleted and gone.id == name
    expect(openai.NotFoundError, lambda: client.models.retrieve(name), code="model_not_found")
    expect(openai.BadRequestError, lambda: jobs.cancel(made.id))


@test
def a_job_is_paused_and_resumed_and_cancelled(client):
    jobs = client.fine_tuning.jobs
    method = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 50, "batch_size": 1}}}
    job = jobs.create(model="smollm2", training_file=upload(client, lines(20)), method=method)
    expect(openai.BadRequestError, lambda: jobs.resume(job.id))
    wait(client, job, "running")
    eventually(lambda: steps_done(client, job) > 0, 60)
    assert jobs.pause(job.id).status == "paused"
    second = jobs.create(model="smollm2", training_file=upload(client, lines(3)), method=method)
    wait(client, second, "running")  # the paused one has left its place
    assert jobs.cancel(second.id).status == "cancelled"
    assert jobs.retrieve(second.id).finished_at is not None
    before = steps_done(client, job)
    assert jobs.resume(job.id).status == "queued"
    wait(client, job, "running")
    eventually(lambda: steps_done(client, job) > before, 60)
    said = [event.message for event in jobs.list_events(job.id)]
    assert any(text.startswith("Training goes on after step ") for text in said), said
    assert jobs.cancel(job.id).status == "cancelled"


def job_processes():
    """Of this service alone."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            command = open(f"/proc/{pid}/cmdline").read().split("\0")
            parent = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[1]
        except OSError:
            continue
        if "tune-job" in command and int(parent) == harness.server.pid:
            found.append(int(pid))
    return found


@test
def a_job_outlives_its_process(client):
    jobs = client.fine_tuning.jobs
    method = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 50, "batch_size": 1, "lora_rank": 2}}}
    job = jobs.create(model="smollm2", training_file=upload(client, lines(4)), method=method)
    eventually(lambda: steps_done(client, job) >= 51, 120)  # past its first checkpoint
    [process] = job_processes()
    assert os.sched_getscheduler(process) == os.SCHED_IDLE  # it gives way to who serves
    os.kill(process, signal.SIGKILL)
    said = lambda: [event.message for event in jobs.list_events(job.id)]
    eventually(lambda: "Training goes on after step 50" in said() or "Training goes on after step 100" in said(), 60)
    assert any("ended by signal 9" in text for text in said())
    assert jobs.cancel(job.id).status == "cancelled"
    eventually(lambda: job_processes() == [], 20)


@test
def data_that_is_wrong_fails_the_job_and_says_where(client):
    bad = lines(3) + b'{"messages": [{"role": "user", "content": "and then?"}]}\n'
    job = client.fine_tuning.jobs.create(model="smollm2", training_file=upload(client, bad))
    eventually(lambda: client.fine_tuning.jobs.retrieve(job.id).status == "failed", 60)
    failed = client.fine_tuning.jobs.retrieve(job.id)
    assert failed.error.code == "invalid_training_file" and failed.error.param == "training_file"
    assert "line 4" in failed.error.message, failed.error


@test
def jobs_that_cannot_be(client):
    jobs = client.fine_tuning.jobs
    good, other = upload(client, lines(2)), client.files.create(file=b"x", purpose="user_data").id
    expect(openai.BadRequestError, lambda: jobs.create(model="smollm2", training_file="file-none"), param="training_file")
    expect(openai.BadRequestError, lambda: jobs.create(model="smollm2", training_file=other), param="training_file")
    expect(openai.BadRequestError, lambda: jobs.create(model="smollm2", training_file=good, validation_file="file-x"), param="validation_file")
    expect(openai.BadRequestError, lambda: jobs.create(model="gpt-9", training_file=good), param="model", code="model_not_available")
    expect(openai.BadRequestError, lambda: jobs.create(model="smollm2", training_file=good, method={"type": "reinforcement"}), param="method.type")
    expect(openai.BadRequestError, lambda: jobs.create(model="smollm2", training_file=good, suffix="x" * 65), param="suffix")
    expect(openai.NotFoundError, lambda: jobs.retrieve("ftjob-none"))
    expect(openai.NotFoundError, lambda: jobs.list_events("ftjob-none"))


@test
def a_budget_with_nothing_left_takes_no_job(client):
    limit = client.with_options(admin_api_key=client.admin_api_key).admin.organization.projects.spend_limit
    file = upload(client, lines(2))
    limit.update("default", currency="USD", interval="month", threshold_amount=0)
    try:
        expect(openai.RateLimitError, lambda: client.fine_tuning.jobs.create(model="smollm2", training_file=file),
               code="insufficient_quota", status=429)
    finally:
        limit.delete("default")


@test
def azures_jobs(client):
    endpoint = str(client.base_url).removesuffix("/v1/")
    azure = openai.AzureOpenAI(azure_endpoint=endpoint, api_key=client.api_key, api_version="2024-10-21", max_retries=0)
    job = azure.fine_tuning.jobs.create(model="smollm2", training_file=upload(azure, lines(2)))
    assert azure.fine_tuning.jobs.cancel(job.id).status == "cancelled"
    assert azure.fine_tuning.jobs.list(limit=1).data[0].id == job.id
    assert len(azure.fine_tuning.jobs.list_events(job.id).data) >= 2
    assert client.fine_tuning.jobs.retrieve(job.id).status == "cancelled"
    azure.delete(f"/fine_tuning/jobs/{job.id}", cast_to=type(None))
    expect(openai.NotFoundError, lambda: client.fine_tuning.jobs.retrieve(job.id))


@test
def graders_grade(client):
    graders = client.fine_tuning.alpha.graders
    same = {"type": "string_check", "name": "same", "input": "{{ sample.output_text }}", "reference": "{{ item.answer }}",
            "operation": "ilike"}
    like = {"type": "text_similarity", "name": "like", "input": "{{ sample.output_text }}", "reference": "{{ item.answer }}",
            "evaluation_metric": "rouge_l"}
    assert graders.run(grader=same, item={"answer": "PARIS"}, model_sample="It is Paris.").reward == 1
    ran = graders.run(grader=like, item={"answer": "it is Rome"}, model_sample="It is Paris.")
    assert abs(ran.reward - 2 / 3) < 1e-9 and ran.metadata.name == "like" and ran.metadata.scores == {"like": ran.reward}
    both = {"type": "multi", "name": "both", "graders": {"same": same, "like": like}, "calculate_output": "(same + like) / 2"}
    ran = graders.run(grader=both, item={"answer": "it is Paris"}, model_sample="It is Paris.")
    assert ran.reward == 1 and ran.sub_rewards == {"same": 1, "like": 1}
    judge = {"type": "score_model", "name": "judge", "model": "smollm2", "range": [0, 10],
             "input": [{"role": "user", "content": "How good is {{ sample.output_text }}?"}],
             "sampling_params": {"max_completions_tokens": 4, "seed": 1}}
    ran = graders.run(grader=judge, model_sample="bread")
    assert ran.metadata.token_usage > 0 and ran.api_model_grader_token_usage_per_model["smollm2"] == ran.metadata.token_usage
    assert 0 <= ran.reward <= 10 and (ran.metadata.errors.api_model_grader_parse_error or "judge" in ran.metadata.scores), ran
    missing = graders.run(grader=same, item={}, model_sample="x")
    assert missing.reward == 0 and missing.metadata.errors.invalid_variable_error
    assert graders.validate(grader=judge).grader.name == "judge"
    expect(openai.BadRequestError, lambda: graders.validate(grader=dict(both, calculate_output="same +")), param="grader.calculate_output")
    expect(openai.BadRequestError, lambda: graders.validate(grader={"type": "python", "name": "p", "source": "x"}), param="grader.type")
