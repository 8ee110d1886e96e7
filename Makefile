# make demo        trains, evaluates and exports a small network, and compares
#                  its answers with the published network's: two minutes
# make test        runs the fast tests, as in CI
# make test-all    also: deep networks, more combinations, PyTorch, several processes, browser
# make test-serving   tests exports with other servers (Linux)
# make test-without-tensorflow    tests training on JAX without TensorFlow
# make lint        runs ruff, the import rules and mypy
# make docs        builds the documentation: docs/_build/html/index.html
#
# Each target makes the virtual environment $(VENV) and installs what it needs.
# On a machine with an NVIDIA GPU: make demo TENSORFLOW=gpu

PYTHON ?= python3
VENV ?= .venv
TENSORFLOW ?= cpu
TORCH ?= torch==2.13.0
SELENIUM := "selenium>=4.20,<5"
# Without their dependencies, which would install CUDA's libraries.
ORIGINALS := --no-deps "timm>=1,<2" "pytorchcv>=0.0.74,<0.1" \
  "keras-hub>=0.32,<1" "regex>=2024" "tokenizers>=0.20,<1"
SERVERS := kserve pytriton
SERVER_kserve := "kserve>=0.21,<1"
SERVER_pytriton := "nvidia-pytriton>=0.7,<1"
DEMO ?= demo
DEMO_EPOCHS ?= 20
WORKERS ?= 2
export TF_CPP_MIN_LOG_LEVEL ?= 1

BIN := $(VENV)/bin
# Without its dependencies: they would install a second TensorFlow.
SERVING_API := --no-deps "tensorflow-serving-api>=2.20,<3"
# The tests of a file run in one process and share costly fixtures. In another
# order, files of one long test come last, and processes wait for each other.
PARALLEL := -n $(WORKERS) --dist loadfile --no-loadscope-reorder
INSTALLED := $(VENV)/.installed-$(TENSORFLOW)

.PHONY: demo test test-all test-serving test-without-tensorflow lint docs clean

demo: $(INSTALLED)-train
	rm -rf $(DEMO)
	$(BIN)/python tools/train.py --model=PreActResNet20 \
	  --dataset=cifar10_sample --workdir=$(DEMO)/run \
	  --epochs=$(DEMO_EPOCHS) --batch_size=64
	$(BIN)/python tools/evaluate.py --workdir=$(DEMO)/run
	$(BIN)/python tools/export.py --workdir=$(DEMO)/run \
	  --output=$(DEMO)/serving
	$(BIN)/python tools/export.py --model=PreActResNet20 --weights=cifar10 \
	  --output=$(DEMO)/published
	$(BIN)/python examples/serving/held_out_pictures.py $(DEMO)/pictures
	$(BIN)/python examples/classify_without_keras.py \
	  --model=here=$(DEMO)/serving/1 \
	  --model=published=$(DEMO)/published/1 \
	  --output=$(DEMO)/predictions.png $(DEMO)/pictures
	@echo "Done. See $(DEMO)/predictions.png and $(DEMO)/run/curves.png."

test: $(INSTALLED)-tests
	$(BIN)/python -m pytest $(PARALLEL)

test-all: $(INSTALLED)-tests
	$(BIN)/pip install --quiet "$(TORCH)" $(SELENIUM)
	$(BIN)/pip install --quiet $(ORIGINALS)
	$(BIN)/python -m pytest $(PARALLEL) -m ""

# TF Serving's server must be on the PATH, or at TF_SERVING_URL. The others get
# their own environments: their pins conflict with TensorFlow's.
test-serving: $(INSTALLED)-tests $(SERVERS:%=$(VENV)-%/.installed)
	KSERVE_PYTHON=$(VENV)-kserve/bin/python \
	  PYTRITON_PYTHON=$(VENV)-pytriton/bin/python \
	  $(BIN)/python -m pytest -m "" tests/serving

# It gets its own environment, without TensorFlow.
test-without-tensorflow:
	test -x $(VENV)-jax/bin/python || $(PYTHON) -m venv $(VENV)-jax
	$(VENV)-jax/bin/python -m pip install --quiet \
	  --disable-pip-version-check -e ".[tests]"
	KERAS_BACKEND=jax $(VENV)-jax/bin/python -m pytest $(PARALLEL) \
	  tests/training tests/tuning tests/cli tests/studies

$(VENV)-%/.installed:
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check \
	  "tensorflow-cpu>=2.20,<3" $(SERVER_$*)
	touch $@

lint: $(INSTALLED)-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy

# All pages are built again: Sphinx reports a page's warnings only when it reads
# the page. Only the page "Try it in the browser" needs npm.
docs: $(INSTALLED)-docs
	if command -v npm; then $(BIN)/python docs/try_it/build.py; \
	  else echo "Without npm, the page try_it.html has no network."; fi
	$(BIN)/sphinx-build --fail-on-warning --keep-going --nitpicky --fresh-env \
	  --quiet --doctree-dir docs/_build/doctrees docs docs/_build/html

$(INSTALLED)-%: setup.py Makefile
	@$(PYTHON) -c 'import sys; v = sys.version_info; \
	  (3, 11) <= v < (3, 14) or sys.exit( \
	  "$(PYTHON) is Python %d.%d; 3.11 to 3.13 is needed. " % v[:2] + \
	  "Try: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  -e ".[$(TENSORFLOW),$*]"
	$(if $(filter tests,$*),$(BIN)/python -m pip install --quiet \
	  --disable-pip-version-check $(SERVING_API))
	touch $@

clean:
	rm -rf $(VENV) $(VENV)-jax $(SERVERS:%=$(VENV)-%) $(DEMO) build *.egg-info \
	  docs/_build docs/_static/try_it
