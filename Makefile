# `make serve` and `make test` are all that a newcomer needs; `make help` lists the rest.
.DEFAULT_GOAL := help
.PHONY: help serve test soak build model lint format fidelity families embeddings bench bench-servers bench-embeddings overhead golden

PYTHON ?= python3
HOST_PACKAGES := $(PYTHON) tools/install_packages.py
# Further options of a command: make serve ARGS="--port 9000"
ARGS ?=
# One test suite and what it needs: make test SUITE=wire
SUITE ?=

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

serve: build ## Install what is missing, build, fetch the model, answer on 127.0.0.1:8484
	@model=$$($(PYTHON) tools/fetch_model.py) && \
	  exec build/release/bin/jarip serve "$$model" $(ARGS)

test: ## Install what is missing and pass every test (SUITE=name for one)
	@$(HOST_PACKAGES) build test
	@$(PYTHON) tools/run_tests.py $(SUITE)

soak: ## Pass the long runs: load under sanitizers, thousands of random schemas and answers
	@$(HOST_PACKAGES) build test
	@$(PYTHON) tools/run_tests.py --soak

build: ## Build the release into build/release
	@$(HOST_PACKAGES) build
	@test -f build/release/build.ninja || cmake --preset release
	@ninja -C build/release jarip

model: ## Fetch the default model and print its path
	@$(PYTHON) tools/fetch_model.py

lint: ## Check form and content of the code (slow: clang-tidy)
	@$(HOST_PACKAGES) build test lint
	@$(PYTHON) tools/make_venv.py
	@tools/lint.sh

format: ## Bring all code into its form
	@$(HOST_PACKAGES) build test
	@$(PYTHON) tools/make_venv.py
	@tools/check_style.sh --fix

fidelity: ## Measure the arithmetic against the reference and rewrite docs/fidelity.md
	@$(HOST_PACKAGES) build test
	@$(PYTHON) tools/make_venv.py
	@build/venv/bin/python tools/fidelity.py --write

families: ## Compare every family of models with llama.cpp and rewrite docs/models.md
	@$(HOST_PACKAGES) build test
	@$(PYTHON) tools/make_venv.py
	@build/venv/bin/python tools/families.py --write

embeddings: ## Compare models that embed or rank with llama.cpp and rewrite docs/models.md
	@$(HOST_PACKAGES) build test
	@$(PYTHON) tools/make_venv.py
	@build/venv/bin/python tools/embeddings.py --write

bench: build ## Measure beside other programs, 15 minutes (ARGS=--quick, 2; ARGS=--write, the page)
	@$(HOST_PACKAGES) build test
	@$(PYTHON) tools/make_venv.py build/bench/venv bench/compare/requirements.txt
	@build/bench/venv/bin/python bench/compare/compare.py $(ARGS)

overhead: build ## Measure what the server costs over the engine alone (ARGS="--tls --keys")
	@$(HOST_PACKAGES) build test
	@$(PYTHON) tools/make_venv.py
	@ninja -C build/release engine_bench
	@model=$$($(PYTHON) tools/fetch_model.py) && \
	  build/venv/bin/python bench/compare/overhead.py "$$model" $(ARGS)

bench-servers: build ## Measure beside llama-server, 15 minutes (ARGS=--write, the page)
	@$(HOST_PACKAGES) build test
	@$(PYTHON) tools/make_venv.py build/bench/servers-venv bench/servers/requirements.txt
	@build/bench/servers-venv/bin/python bench/servers/compare_servers.py $(ARGS)

bench-embeddings: build ## Measure /v1/embeddings beside llama-server, 2 minutes (ARGS=--write, the page)
	@$(HOST_PACKAGES) build test
	@$(PYTHON) tools/make_venv.py
	@build/venv/bin/python bench/servers/compare_embeddings.py $(ARGS)

golden: ## Rewrite the golden answers in tests/golden (look at the difference before a commit)
	@$(PYTHON) tools/update_golden.py
