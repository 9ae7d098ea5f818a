"""`jarip serve` over a folder of models: loaded on demand, within a budget of memory."""

import concurrent.futures
import json
import subprocess

import openai
import pytest
from server import BINARY, Keys, Process, start_server, stop_server

WRITERS = ("one", "two")


def synth(path, *arguments):
    subprocess.run([BINARY, "synth", "--tiny", "-o", path, *arguments], check=True,
                   capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    models = home / "models"
    models.mkdir()
    for seed, name in enumerate(WRITERS):
        synth(models / f"{name}.gguf", "--seed", str(seed))
    synth(models / "vectors.gguf", "--family", "bert")
    (models / "broken.gguf").write_bytes(b"GGUF, but not really")
    return home


def models_of(server):
    reply = server.get("/v1/models")
    assert reply.status == 200, reply.body
    return {model["id"]: model for model in reply.json["data"]}


@pytest.fixture(scope="module")
def budget(home):
    """Room for two of the three models."""
    server = start_server(home=home, model=False)
    memory = {name: model["memory"] for name, model in models_of(server).items()
              if "memory" in model}
    stop_server(server)
    largest, second, _ = sorted(memory.values(), reverse=True)
    assert sum(memory.values()) > largest + second
    return largest + second


@pytest.fixture
def server(home, budget):
    running = start_server("--memory", str(budget), home=home, model=False)
    yield running
    stop_server(running)


def answer(server, model, **fields):
    reply = server.post("/v1/completions", {"model": model, "prompt": "abc", "max_tokens": 12,
                                            "seed": 5, **fields})
    assert reply.status == 200, reply.body
    return reply.json


def embedding(server):
    reply = server.post("/v1/embeddings", {"model": "vectors", "input": "a text"})
    assert reply.status == 200, reply.body
    return reply.json["data"][0]["embedding"]


def test_models_are_loaded_on_demand_and_the_oldest_makes_room(server, budget):
    before = models_of(server)
    assert {name: model["state"] for name, model in before.items()} == {
        "broken": "unusable", "one": "unloaded", "two": "unloaded", "vectors": "unloaded"}
    assert before["one"]["task"] == "completion" and before["vectors"]["task"] == "embedding"
    assert "GGUF" in before["broken"]["problem"]
    first = {name: answer(server, name)["choices"][0]["text"] for name in WRITERS}
    assert first["one"] != first["two"]
    assert [models_of(server)[name]["state"] for name in WRITERS] == ["loaded", "loaded"]
    vector = embedding(server)
    states = {name: model["state"] for name, model in models_of(server).items()}
    assert states["two"] == "loaded" and states["vectors"] == "loaded"
    assert states["one"] == "unloaded"
    assert server.metric("jarip_models_resident_bytes") <= budget
    # The same bytes from a model that was away.
    assert answer(server, "one")["choices"][0]["text"] == first["one"]
    assert embedding(server) == vector
    assert server.metric('jarip_model_loads_total{model="one"}') == 2
    assert server.metric('jarip_model_unloads_total{model="one"}') == 1


def test_what_is_counted_stays_when_a_model_goes(server):
    answer(server, "one")
    tokens = server.metric("jarip_generation_tokens_total")
    assert tokens > 0
    reply = server.post("/models/unload", {"model": "one"})
    assert reply.status == 200, reply.body
    assert server.eventually('jarip_model_unloads_total{model="one"}', 1)
    assert server.metric("jarip_generation_tokens_total") == tokens


def test_requests_for_all_models_at_once_are_all_answered(server):
    expected = {name: answer(server, name)["choices"][0]["text"] for name in WRITERS}
    vector = embedding(server)

    def ask(i):
        name = ("one", "two", "vectors")[i % 3]
        if name == "vectors":
            return embedding(server) == vector
        if i % 2:
            events = server.events("/v1/completions", {"model": name, "prompt": "abc",
                                                       "max_tokens": 12, "seed": 5})
            assert events[-1] == "[DONE]", events
            return "".join(json.loads(event)["choices"][0]["text"]
                           for event in events[:-1]) == expected[name]
        return answer(server, name)["choices"][0]["text"] == expected[name]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(48)))


def test_names_are_told_and_requests_without_one_are_asked_for_it(server):
    reply = server.post("/v1/completions", {"prompt": "x"})
    assert reply.status == 400 and reply.error["param"] == "model"
    assert "one, two, vectors" in reply.error["message"]
    reply = server.post("/v1/completions", {"model": "nobody", "prompt": "x"})
    assert reply.status == 404 and reply.error["code"] == "model_not_found"
    assert "one, two, vectors" in reply.error["message"]
    reply = server.post("/v1/completions", {"model": "broken", "prompt": "x"})
    assert reply.status == 400 and "GGUF" in reply.error["message"]
    # Refused for what they are made for, without being loaded.
    assert server.post("/v1/completions", {"model": "vectors", "prompt": "x"}).status == 400
    assert server.post("/v1/embeddings", {"model": "one", "input": "x"}).status == 400
    assert all(model["state"] in ("unloaded", "unusable") for model in models_of(server).values())


def test_a_model_that_comes_while_the_server_runs_answers(server, home):
    path = home / "models" / "late.gguf"
    synth(path, "--seed", "9")
    try:
        assert answer(server, "late")["model"] == "late"
        assert server.get("/v1/models/late").json["state"] == "loaded"
    finally:
        path.unlink()


def test_what_can_never_fit_is_said_with_the_numbers_before_loading(home):
    server = start_server("--memory", "1M", home=home, model=False)
    reply = server.post("/v1/completions", {"model": "one", "prompt": "x"})
    assert reply.status == 400 and reply.error["code"] == "model_too_large"
    assert "models may take 1.0 MiB" in reply.error["message"]
    assert models_of(server)["one"]["state"] == "too_large"
    stop_server(server)
    process = Process("one", "--port", "0", "--memory", "1M", home=home, model=False)
    assert process.wait() != 0
    assert "models may take 1.0 MiB" in process.last_lines()[-1]
    process.end()


def test_the_first_model_to_load_is_the_default(home):
    server = start_server("--load", "two", "--load", "one", home=home, model=False)
    assert [model["state"] for name, model in models_of(server).items() if name in WRITERS] == [
        "loaded", "loaded"]
    reply = server.post("/v1/completions", {"prompt": "x", "max_tokens": 1})
    assert reply.json["model"] == "two"
    assert server.get("/v1/models").json["data"][0]["default"] is True
    stop_server(server)


def test_one_named_model_is_served_alone(home):
    server = start_server(home=home, model="one")
    assert list(models_of(server)) == ["one"]
    assert server.post("/v1/completions", {"model": "two", "prompt": "x"}).status == 404
    stop_server(server)


def test_idle_models_leave_after_their_time(home):
    server = start_server("--keep-alive", "1", home=home, model=False)
    answer(server, "one")
    assert server.eventually('jarip_model_unloads_total{model="one"}', 1)
    assert models_of(server)["one"]["state"] == "unloaded"
    stop_server(server)


def test_loading_and_unloading_need_an_admin(home, tmp_path):
    keys = Keys(tmp_path / "home")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "models").symlink_to(home / "models")
    plain, admin = keys.create("--name", "plain"), keys.create("--name", "boss", "--scope", "admin")
    server = start_server(home=keys.home, model=False)
    for action in ("load", "unload"):
        path, body = f"/models/{action}", {"model": "one"}
        assert server.post(path, body).status == 401
        assert server.post(path, body, {"Authorization": f"Bearer {plain}"}).status == 403
        assert server.post(path, body, {"Authorization": f"Bearer {admin}"}).status == 200
    stop_server(server)


def test_the_official_sdk_lists_and_chooses(server):
    client = openai.OpenAI(base_url=server.address + "/v1", api_key="none")
    names = [model.id for model in client.models.list()]
    assert names == ["broken", "one", "two", "vectors"]
    assert client.models.retrieve("one").id == "one"
    for name in WRITERS:
        done = client.completions.create(model=name, prompt="abc", max_tokens=3)
        assert done.model == name
    assert client.embeddings.create(model="vectors", input="x").data[0].embedding
    with pytest.raises(openai.NotFoundError):
        client.completions.create(model="nobody", prompt="x")
