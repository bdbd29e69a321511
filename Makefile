# make demo, make test, make lint and so on: each from a fresh clone, with only Python and make.

PYTHON ?= python3
BIN := .venv/bin
# The suite's databases write much that nobody keeps: in memory, where there is such a place.
TMP := $(shell test -w /dev/shm && echo /dev/shm || echo /tmp)

.PHONY: help demo test compatibility compose races model explore lint bench load chaos fuzz docs build \
  lock sbom versions clean

help:
	@echo "make demo            a site to try it on, at the address that it prints"
	@echo "make test [ARGS=...] the whole suite (ARGS go to pytest)"
	@echo "make compatibility   other people's packages and servers, and the table of them (minutes)"
	@echo "make compose         the tests of two nodes on docker-compose.yml itself (needs Docker)"
	@echo "make races           its races and crashes, fifty rounds of each instead of some"
	@echo "make model           the protocol, in every order of its steps (spin)"
	@echo "make lint            ruff and mypy, and what reads a Dockerfile and a compose file"
	@echo "make bench           what all of it costs, beside the alternatives (an hour)"
	@echo "make load            thousands of people at two nodes"
	@echo "make chaos           everything fails at random, and nothing goes wrong"
	@echo "make fuzz            whatever a client may send"
	@echo "make explore         all orders of two operations on a user's sessions (ARGS narrow it)"
	@echo "make docs            the documentation, in site/ (warnings are errors)"
	@echo "make build           wheel and sdist, in dist/, checked"
	@echo "make lock            pin the development environment, in requirements-dev.lock"
	@echo "make sbom            for a release: list what is pinned, with licences, in sbom.cdx.json (CycloneDX)"
	@echo "make versions        the fast tests, or ARGS, on the newest Python and Django"
	@echo "make clean           remove the environment"

demo: .venv/.installed-demo
	$(BIN)/python demo/run.py

test: .venv/.installed-test
	@$(BIN)/python -m tests.servers.packages suite
	TMPDIR=$(TMP) $(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder $(ARGS)

compatibility: .venv/.installed-compatibility
	@$(BIN)/python -m tests.servers.packages suite
	TMPDIR=$(TMP) $(BIN)/python -m pytest -p tests.compatibility.table --numprocesses 0 \
	  -o python_files="test_*.py drive_*.py" tests/compatibility $(ARGS)

RACES = tests/backends/test_concurrency.py tests/backends/test_crashes.py tests/backends/test_state_machine.py

# On an engine, whose base images have to be at hand.
compose: .venv/.installed-test
	$(BIN)/python -m pytest --containers tests/deployment/on_an_engine.py tests/deployment/test_two_nodes.py $(ARGS)

races:
	LIVE_SINGLE_SESSION_ROUNDS=50 $(MAKE) test ARGS="$(RACES)"

model: .venv/.created
	@$(BIN)/python -m tests.servers.packages suite
	$(BIN)/python -m tests.model.run

lint: .venv/.installed-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/hadolint Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml

# These leave what they find in benchmarks/results; see docs/performance.md.
bench load chaos fuzz: .venv/.installed-bench
	@$(BIN)/python -m tests.servers.packages suite
	$(BIN)/python -m benchmarks.$@ $(ARGS)

explore: .venv/.installed-test
	@$(BIN)/python -m tests.servers.packages suite
	TMPDIR=$(TMP) $(BIN)/python -m tests.explore $(ARGS)

docs: .venv/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict

build: .venv/.installed-release
	rm -rf dist
	$(BIN)/python -m build --no-isolation
	$(BIN)/python -m twine check --strict dist/*

# Of an environment of its own, so that nothing that was tried out by hand gets in.
lock:
	rm -rf build/lock
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	build/lock/bin/python -m pip install --quiet --editable . --group dev --group docs --group release
	{ echo "# The development environment, pinned: pip install -r requirements-dev.lock"; \
	  build/lock/bin/python -m pip freeze --all --exclude pip --exclude-editable; \
	} > requirements-dev.lock

# From what is pinned, in an environment without pip, which nobody is given.
sbom: .venv/.installed-test
	rm -rf build/sbom
	$(PYTHON) -m venv --without-pip build/sbom
	$(BIN)/python -m pip --python build/sbom install --quiet --requirement requirements-dev.lock
	$(BIN)/cyclonedx-py environment build/sbom --pyproject pyproject.toml --mc-type library \
	  --output-reproducible --output-file sbom.cdx.json
	$(BIN)/python -m pytest tests/packaging/bill_of_materials.py

versions: .venv/.installed-versions .venv/.compiler
	$(BIN)/python -m nox --session "tests(python='3.13', django='6.1')" -- $(ARGS)

clean:
	rm -rf .venv

# Each command installs its own dependency group of pyproject.toml, and so needs no more
# than that: only the suite compiles something, and asks for system packages.
.venv/.installed-%: pyproject.toml | .venv/.created
	$(BIN)/python -m pip install --quiet --editable . --group $*
	@touch $@

.venv/.installed-test .venv/.installed-compatibility .venv/.installed-bench lock: | .venv/.compiler

.venv/.compiler: | .venv/.created
	@$(BIN)/python -m tests.servers.packages suite
	@touch $@

.venv/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "This needs Python 3.11 or newer, which $(PYTHON) is not." \
	    "Name another: make PYTHON=python3.13 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -m tests.servers.packages venv
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	@touch $@
