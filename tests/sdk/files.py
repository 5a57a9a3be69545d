"""Files and uploads by the official SDK, in both dialects."""
import hashlib
import io
import os
import tempfile

import openai

from harness import expect, test

LINES = b'{"custom_id": "one"}\n{"custom_id": "two"}\n'


@test
def a_file_from_bytes(client):
    made = client.files.create(file=("lines.jsonl", LINES), purpose="batch")
    assert made.object == "file" and made.id.startswith("file-") and made.status == "processed"
    assert made.bytes == len(LINES) and made.filename == "lines.jsonl" and made.purpose == "batch"
    assert made.expires_at == made.created_at + 30 * 86400
    assert client.files.retrieve(made.id) == made
    assert client.files.content(made.id).content == LINES
    gone = client.files.delete(made.id)
    assert gone.deleted and gone.id == made.id and gone.object == "file"
    error = expect(openai.NotFoundError, lambda: client.files.retrieve(made.id), param="id")
    assert error.body["message"] == f"No such File object: {made.id}" and error.code is None


@test
def a_file_from_a_path_and_from_a_stream(client):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "naïve \"notes\".txt")
        # Past what is read whole, and no text.
        body = os.urandom(1 << 20) * 20
        with open(path, "wb") as file:
            file.write(body)
        with open(path, "rb") as file:
            made = client.files.create(file=file, purpose="user_data", expires_after={"anchor": "created_at", "seconds": 3600})
    assert made.bytes == len(body) and made.expires_at == made.created_at + 3600
    assert made.filename.startswith("naïve") and made.filename.endswith("notes%22.txt"), made.filename
    digest, size = hashlib.sha256(), 0
    with client.files.with_streaming_response.content(made.id) as answer:
        for piece in answer.iter_bytes():
            digest.update(piece)
            size += len(piece)
    assert size == len(body) and digest.digest() == hashlib.sha256(body).digest()
    client.files.delete(made.id)
    made = client.files.create(file=io.BytesIO(b""), purpose="user_data")
    assert made.bytes == 0 and client.files.content(made.id).content == b""
    client.files.delete(made.id)


@test
def lists_of_files_are_paged(client):
    made = [client.files.create(file=(f"{i}.txt", b"x"), purpose="evals" if i % 2 else "vision").id for i in range(7)]
    try:
        pages = client.files.list(limit=3)
        assert [f.id for f in pages.data] == made[:3:-1] and pages.has_more
        assert [f.id for f in pages] == made[::-1], "the iterator goes through all pages"
        assert [f.id for f in client.files.list(limit=2, order="asc")] == made
        assert [f.id for f in client.files.list(purpose="evals", order="asc")] == made[1::2]
        assert [f.id for f in client.files.list(after=made[2], order="asc", limit=1).data] == [made[3]]
        expect(openai.NotFoundError, lambda: client.files.list(after="file-none"), param="after")
        expect(openai.BadRequestError, lambda: client.files.list(limit=0), param="limit")
    finally:
        for one in made:
            client.files.delete(one)
    assert list(client.files.list()) == []


@test
def what_is_no_file_is_refused(client):
    expect(openai.BadRequestError, lambda: client.files.create(file=b"x", purpose="batch_output"), param="purpose")
    expect(openai.BadRequestError, lambda: client.files.create(file=b"", purpose="fine-tune"), param="file")
    expect(openai.BadRequestError, param="expires_after.seconds", call=lambda: client.files.create(
        file=b"x", purpose="user_data", expires_after={"anchor": "created_at", "seconds": 1}))
    expect(openai.BadRequestError, lambda: client.files.create(file=b"x", purpose="user_data", extra_body={"unknown": "1"}))
    wrong = client.with_options(api_key="sk-wrong")
    # Refused before its body is read.
    expect(openai.AuthenticationError, lambda: wrong.files.create(file=b"x" * (30 << 20), purpose="user_data"))
    assert list(client.files.list()) == []


@test
def files_of_other_projects_are_not_there(client):
    projects = client.admin.organization.projects
    other = projects.create(name="files of others")
    key = projects.service_accounts.create(other.id, name="reader").api_key.value
    made = client.files.create(file=b"secret", purpose="user_data")
    try:
        stranger = client.with_options(api_key=key)
        for call in (stranger.files.retrieve, stranger.files.content, stranger.files.delete):
            expect(openai.NotFoundError, lambda call=call: call(made.id), param="id")
        assert list(stranger.files.list()) == []
        own = stranger.files.create(file=b"mine", purpose="user_data")
        assert [f.id for f in client.files.list()] == [made.id] and [f.id for f in stranger.files.list()] == [own.id]
    finally:
        client.files.delete(made.id)
        projects.archive(other.id)


@test
def an_upload_of_three_parts_out_of_order(client):
    parts = [os.urandom(100_000), os.urandom(5), os.urandom(1 << 20)]
    whole = b"".join(parts)
    upload = client.uploads.create(bytes=len(whole), filename="whole.bin", mime_type="application/octet-stream", purpose="user_data")
    assert upload.status == "pending" and upload.expires_at == upload.created_at + 3600 and upload.file is None
    ids = {}
    for i in (2, 0, 1):
        ids[i] = client.uploads.parts.create(upload.id, data=parts[i]).id
    expect(openai.BadRequestError, lambda: client.uploads.complete(upload.id, part_ids=[ids[0], ids[1]]), param="part_ids")
    done = client.uploads.complete(upload.id, part_ids=[ids[0], ids[1], ids[2]], md5=hashlib.md5(whole).hexdigest())
    assert done.status == "completed" and done.file.bytes == len(whole) and done.file.filename == "whole.bin"
    assert client.files.content(done.file.id).content == whole
    assert client.uploads.complete(upload.id, part_ids=[ids[0], ids[1], ids[2]]).file.id == done.file.id
    client.files.delete(done.file.id)


@test
def an_upload_in_chunks_and_one_that_is_cancelled(client):
    body = os.urandom(1 << 20) * 3 + b"end"
    done = client.uploads.upload_file_chunked(file=body, filename="big.bin", bytes=len(body), mime_type="application/octet-stream",
                                              purpose="user_data", part_size=1 << 20)
    assert done.status == "completed" and client.files.content(done.file.id).content == body
    client.files.delete(done.file.id)
    upload = client.uploads.create(bytes=10, filename="a", mime_type="text/plain", purpose="evals")
    client.uploads.parts.create(upload.id, data=b"12345")
    assert client.uploads.cancel(upload.id).status == "cancelled"
    expect(openai.BadRequestError, lambda: client.uploads.parts.create(upload.id, data=b"12345"))
    expect(openai.NotFoundError, lambda: client.uploads.cancel("upload_none"), param="upload_id")


@test
def azures_files(client):
    endpoint = str(client.base_url).removesuffix("/v1/")
    azure = openai.AzureOpenAI(azure_endpoint=endpoint, api_key=client.api_key, api_version="2024-10-21", max_retries=0)
    made = azure.files.create(file=("a.jsonl", LINES), purpose="fine-tune")
    assert [f.id for f in azure.files.list(purpose="fine-tune")] == [made.id]
    assert azure.files.content(made.id).content == LINES
    assert client.files.retrieve(made.id).id == made.id
    assert azure.files.delete(made.id).deleted
    expect(openai.NotFoundError, lambda: azure.files.retrieve(made.id), code="404")
    done = azure.uploads.upload_file_chunked(file=b"abcde", filename="b", bytes=5, mime_type="text/plain", purpose="user_data", part_size=2)
    assert azure.files.content(done.file.id).content == b"abcde"
    azure.files.delete(done.file.id)
