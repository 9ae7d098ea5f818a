"""llm-comply holds the dialects to the specifications that their owners publish."""

import json
import pathlib
import subprocess
import sys

import pytest

COMPLY = pathlib.Path(__file__).resolve().parent / "comply.py"

# All of its tests but those of what this model or this server has not: images, thinking,
# and the compaction of stored responses; and two that want a request without a model to be refused:
# here the one that is loaded answers it.
TESTS = {
    "openai-chat": ("chat-basic-response", "chat-system-prompt", "chat-multi-turn",
                    "chat-tool-calling", "chat-streaming-response", "chat-streaming-usage"),
    "open-responses": ("basic-response", "system-prompt", "multi-turn", "tool-calling",
                       "streaming-response", "streaming-usage", "assistant-phase",
                       "response-output-phase-schema"),
    "anthropic": ("anth-basic-response", "anth-system-prompt", "anth-multi-turn",
                  "anth-tool-calling", "anth-streaming-response", "anth-streaming-usage",
                  "anth-error-handling"),
}


@pytest.mark.parametrize("dialect", TESTS)
def test_a_dialect_is_as_its_owner_specifies_it(server, model, dialect):
    command = [sys.executable, COMPLY, "--format", dialect, "--base-url", server.address + "/v1",
               "--model", model, "--api-key", "unused", "--filter",
               ",".join(TESTS[dialect]), "--json"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    report = json.loads(run.stdout)
    assert run.returncode == 0, json.dumps(report, indent=1)[:8000]
    assert report["summary"]["passed"] == len(TESTS[dialect]), report["summary"]
