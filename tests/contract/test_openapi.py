"""The document at /openapi.json: that it is one, and that the server does what it says."""

import os
import pathlib
import re
import subprocess
import sys

import openapi_spec_validator

HERE = pathlib.Path(__file__).resolve().parent
SECONDS = 480
CHECKS = ("not_a_server_error", "status_code_conformance", "content_type_conformance",
          "response_schema_conformance", "response_headers_conformance",
          "negative_data_rejection", "unsupported_method")


def test_it_is_an_openapi_document(server):
    openapi_spec_validator.validate(server.get("/openapi.json").json)


def test_it_has_the_fields_that_requests_may_have(server):
    schemas = server.get("/openapi.json").json["components"]["schemas"]
    for name, field in [("ChatCompletionRequest", "messages"), ("CompletionRequest", "prompt"),
                        ("ResponsesRequest", "input"), ("AnthropicMessagesRequest", "system"),
                        ("InfillRequest", "input_prefix"), ("EmbeddingsRequest", "dimensions")]:
        assert field in schemas[name]["properties"]
        assert schemas[name]["additionalProperties"] is False


def test_the_server_does_what_it_says(server, tmp_path):
    """schemathesis makes requests of the document, right and wrong ones, and checks the replies."""
    command = [pathlib.Path(sys.executable).parent / "schemathesis", "run",
               server.address + "/openapi.json", "--checks", ",".join(CHECKS),
               "--phases", "examples,coverage,fuzzing", "--max-examples", "4",
               "--include-path-regex", ".",
               "--request-timeout", "60", "--seed", "1", "--generation-deterministic", "--no-color"]
    model = server.get("/v1/models").json["data"][0]["id"]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(HERE),
                   "LOADED_MODEL": model}
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True,
                         timeout=SECONDS, check=False)
    assert run.returncode == 0, run.stdout[-20000:] + run.stderr[-2000:]
    operations = [operation for path in server.get("/openapi.json").json["paths"].values()
                  for operation in path]
    assert f"Tested: {len(operations)}" in run.stdout
    assert int(re.search(r"(\d+) generated", run.stdout)[1]) > 1000
    assert server.get("/health").status == 200
