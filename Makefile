# Every target sets up what it needs first; see tools/setup.
BIN := .venv/bin
# Two tests at a time, also where there are more cores: several start processes of their own.
PYTEST_ARGS ?= -n 2 --dist worksteal
SPEED_ARGS ?=
MINUTES ?= 60
FUZZ_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-nolava test-slow lint typecheck format coverage newest least reliability reproducible audit sbom lock check-nir docs docs-serve public-api fuzz benchmark-mnist benchmark-speed ci clean distclean

help:  ## show this list
	@awk -F ':.*## *' '/^[a-z-]+:.*##/ { printf "%-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup:  ## make .venv: Python 3.10 with Lava if there is one, else the newest Python without
	@tools/setup

demo: setup  ## train, compile and run a small network on Lava; leaves digits.net
	$(BIN)/snnc demo -o digits.net

test: setup  ## run the test suite
	$(BIN)/python -m pytest $(PYTEST_ARGS)

test-nolava: setup  ## run the tests that need no Lava
	$(BIN)/python -m pytest -m "not lava and not slow and not reliability" $(PYTEST_ARGS)

test-slow: setup  ## run the tests that take minutes
	$(BIN)/python -m pytest -m slow $(PYTEST_ARGS)

lint: setup  ## check style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

typecheck: setup  ## check the types
	$(BIN)/mypy --strict -p snnc

format: setup  ## format the code and mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

coverage: setup  ## run the test suite and show what it doesn't reach
	$(BIN)/python -m pytest --cov=snnc $(PYTEST_ARGS)

newest:  ## run the tests that need no Lava under the newest Python with the newest PyTorch
	@tools/setup --newest
	.venv-newest/bin/python -m pytest -m "not lava and not slow and not reliability" $(PYTEST_ARGS)

least:  ## run the tests that need no Lava with the least versions that pyproject.toml allows
	@tools/setup --least
	.venv-least/bin/python -m pytest -m "not lava and not slow and not reliability" $(PYTEST_ARGS)

reliability: setup  ## check every promise of docs/reliability.md the long way, which takes hours
	HYPOTHESIS_PROFILE=thorough $(BIN)/python -m pytest -m reliability $(PYTEST_ARGS)
	HYPOTHESIS_PROFILE=reliability $(BIN)/python -m pytest tests/compiler/test_overflow_fuzz.py $(PYTEST_ARGS)
	$(MAKE) fuzz reproducible audit sbom least newest

# RESNET20="CHECKPOINT IMAGES" adds a pretrained ResNet20 and CIFAR-10 images in class folders, PYTHONS="PYTHON ..."
# further environments that snnc is installed in.
reproducible: setup  ## compare the bytes of .net files over threads, batch sizes, Pythons and PyTorchs
	@tools/setup --newest
	tools/reproducible $(if $(RESNET20),--resnet20 $(RESNET20)) -- $(BIN)/python .venv-newest/bin/python $(PYTHONS)

audit: setup  ## look the pinned versions up among known vulnerabilities; SECURITY.md explains what is found
	@tools/setup --tools
	$(BIN)/python tools/audit $(AUDIT_ARGS)

sbom: setup  ## write sbom.json, the software bill of materials of .venv
	@tools/setup --tools
	tools/sbom > sbom.json.part && mv sbom.json.part sbom.json

lock:  ## pin the default environment anew, each file by its SHA-256 (LOCK_ARGS=--upgrade)
	@tools/setup --tools
	tools/lock $(LOCK_ARGS)

check-nir:  ## let SpikingJelly read our NIR graphs, under the newest Python
	@tools/setup --newest
	.venv-newest/bin/python -m pip install -qq 'spikingjelly>=2' nirtorch
	.venv-newest/bin/python -m pytest tests/program/test_nir_spikingjelly.py "tests/project/test_docs.py::test_the_blocks_of_a_page_work[docs/exchange.md]"

# Material warns of MkDocs 2, which pyproject.toml rules out.
docs: setup  ## build the documentation as a site, in site/; a dead link fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

docs-serve: setup  ## show the documentation in a browser, and build it anew at each change
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve --livereload

public-api: setup  ## write down the public interface anew, after a change on purpose
	PYTHONPATH=tests $(BIN)/python tests/support/public_api.py > tests/data/public_api.txt

# Newer versions of it have no wheel for Python 3.10.
fuzz: setup  ## damage files of all kinds and read them, for MINUTES=60; FUZZ_ARGS=--keep keeps what matters
	test -d .venv-fuzz || $(BIN)/python -m pip install -qq --no-deps --only-binary :all: --target .venv-fuzz 'atheris>=2.3'
	PYTHONPATH=tests:.venv-fuzz OMP_NUM_THREADS=1 nice $(BIN)/python -m support.fuzzing --minutes $(MINUTES) $(FUZZ_ARGS)

benchmark-mnist: setup  ## measure a LeNet-class network on MNIST (MNIST=FOLDER that holds MNIST/raw)
	$(BIN)/python benchmarks/mnist.py --root "$(MNIST)"

benchmark-speed: setup  ## measure the simulator beside the ANN and SpikingJelly, and compiling (SPEED_ARGS=--quick)
	$(BIN)/python benchmarks/speed $(SPEED_ARGS)

ci:  ## what the automatic check runs
	.ci/run

clean:  ## remove build products and caches
	rm -rf build dist site snnc.egg-info .coverage htmlcov .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name '.venv*' -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean  ## remove the environments too
	rm -rf .venv .venv-newest .venv-least .venv-tools .venv-fuzz
