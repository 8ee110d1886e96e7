# make demo        train, evaluate, export and serve a small net: two minutes
# make test        the fast tests: what CI runs
# make test-all    also: very deep nets, PyTorch, several processes
# make test-without-tensorflow    training on JAX where there is no TensorFlow
#
# Each makes the virtual environment $(VENV) and installs what it needs.
# On a machine with an NVIDIA GPU: make demo TENSORFLOW=tensorflow

PYTHON ?= python3
VENV ?= .venv
TENSORFLOW ?= cpu
TORCH ?= torch==2.13.0
DEMO ?= demo
DEMO_EPOCHS ?= 20
WORKERS ?= 2
export TF_CPP_MIN_LOG_LEVEL ?= 1

BIN := $(VENV)/bin
# Tests of a file share its costly fixtures, in one process.
PARALLEL := -n $(WORKERS) --dist loadfile
INSTALLED := $(VENV)/.installed-$(TENSORFLOW)

.PHONY: demo test test-all test-without-tensorflow lint clean

demo: $(INSTALLED)-train
	rm -rf $(DEMO)
	$(BIN)/python tools/train.py --model=PreActResNet20 \
	  --dataset=cifar10_sample --workdir=$(DEMO)/run \
	  --epochs=$(DEMO_EPOCHS) --batch_size=64
	$(BIN)/python tools/evaluate.py --workdir=$(DEMO)/run
	$(BIN)/python tools/export.py --workdir=$(DEMO)/run \
	  --output=$(DEMO)/serving
	$(BIN)/python examples/held_out_pictures.py $(DEMO)/pictures
	$(BIN)/python examples/classify_without_keras.py \
	  --model=$(DEMO)/serving/1 --output=$(DEMO)/predictions.png \
	  $(DEMO)/pictures
	@echo "Look at $(DEMO)/predictions.png and $(DEMO)/run/curves.png."

test: $(INSTALLED)-tests
	$(BIN)/python -m pytest $(PARALLEL)

test-all: $(INSTALLED)-tests
	$(BIN)/pip install --quiet "$(TORCH)"
	$(BIN)/python -m pytest $(PARALLEL) -m ""

# An environment of its own, into which no TensorFlow is installed.
test-without-tensorflow:
	test -x $(VENV)-jax/bin/python || $(PYTHON) -m venv $(VENV)-jax
	$(VENV)-jax/bin/python -m pip install --quiet \
	  --disable-pip-version-check -e ".[tests]"
	KERAS_BACKEND=jax $(VENV)-jax/bin/python -m pytest $(PARALLEL) \
	  tests/training tests/cli

lint: $(INSTALLED)-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

$(INSTALLED)-%: setup.py
	@$(PYTHON) -c 'import sys; v = sys.version_info; \
	  (3, 11) <= v < (3, 14) or sys.exit( \
	  "$(PYTHON) is Python %d.%d; 3.11 to 3.13 is needed. " % v[:2] + \
	  "Try: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  -e ".[$(TENSORFLOW),$*]"
	touch $@

clean:
	rm -rf $(VENV) $(VENV)-jax $(DEMO) build *.egg-info
