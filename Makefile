# The two commands to know: `make demo` and `make test`. Each sets up what it needs, says
# what it does, and is quick the second time.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

target := $(or $(CARGO_TARGET_DIR),target)
version := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
image := registrycheck.dev/registrycheck:$(version)
image_tar := $(abspath $(target))/registrycheck-image.tar
export REGISTRYCHECK_IMAGE_TAR := $(image_tar)

say := @printf '\n== %s\n'

.PHONY: help
help:
	@printf '%s\n' \
	  'make demo     a cluster, broken pods, and what the controller says of them' \
	  'make test     formatting, lints, unit, integration and end-to-end tests' \
	  'make lab      every fault we know, through the real kubelet and the controller' \
	  'make azure-lab  the part of it that is about registries of Azure' \
	  'make hostile-lab  the part of it that is about registries that mean harm' \
	  'make failover  two controllers, of which the one that leads is lost; ROUNDS=5 of each loss' \
	  'make chaos     everything around the controller breaks; FAULTS=500, SEED=… repeats an order' \
	  'make chart-test  the chart by the real helm: every form, one release, listed namespaces' \
	  'make monitoring-test  the alerts, by promtool' \
	  'make cluster  a shell in the test cluster' \
	  'make fuzz     looks for texts that break what reads them; SECONDS=60 is how long' \
	  'make bench    what it costs: writes docs/benchmarks.md, with PODS, IMAGES, TURNS and INTERVALS as they are set' \
	  'make reproducible  two builds from two clones, which must be the same bytes' \
	  'make image    the container image, as a file for `ctr images import`' \
	  'make update   writes again what is generated: crds/, deploy/, docs/ and the chart'

.PHONY: demo
demo: ground image
	$(say) 'Building the demo'
	cargo build --locked --example demo
	$(say) 'Starting a cluster'
	tests/cluster/up -- $(abspath $(target))/debug/examples/demo

# CASES="PART ..." runs only the cases whose name contains one of the parts.
.PHONY: lab
lab: ground image
	$(say) 'Building the lab'
	cargo build --locked --example lab
	$(say) 'Running the lab'
	tests/cluster/up -- $(abspath $(target))/debug/examples/lab $(CASES)
	@$(MAKE) --no-print-directory azure-lab

# The same for registries of Azure, a part of it: the kubelet asks a stand-in, and so do we.
.PHONY: azure-lab
azure-lab: ground
	$(say) 'Building the lab of Azure'
	cargo build --locked --example lab --bin registrycheck
	$(say) 'Running the lab of Azure'
	REGISTRYCHECK_BINARY=$(abspath $(target))/debug/registrycheck \
	  tests/cluster/up --azure -- $(abspath $(target))/debug/examples/lab azure $(CASES)

# A registry that means harm, through the controller: what it costs, and whether others notice. It
# measures time and memory, so it is for a machine that does nothing else, and no part of CI.
.PHONY: hostile-lab
hostile-lab: ground image
	$(say) 'Building the hostile lab'
	cargo build --locked --example lab
	$(say) 'Running the hostile lab'
	tests/cluster/up -- $(abspath $(target))/debug/examples/lab hostile $(CASES)

# Of two controllers the one that leads is lost, ROUNDS times in each of four ways. It measures times,
# so it is for a machine that does nothing else, and no part of CI.
ROUNDS ?= 5
.PHONY: failover
failover: ground
	$(say) 'Building the controller and what loses it'
	cargo build --locked --example resilience --bin registrycheck
	@dpkg -s libfaketime >/dev/null 2>&1 || { \
	  echo 'installing the Debian package libfaketime, which gives one process another clock'; \
	  apt-get install -qy --no-install-recommends libfaketime; }
	$(say) 'Losing leaders'
	REGISTRYCHECK_BINARY=$(abspath $(target))/debug/registrycheck \
	  tests/cluster/up -- $(abspath $(target))/debug/examples/resilience failover $(ROUNDS)

# Everything around a controller breaks, FAULTS times in an order that SEED gives. No part of CI: it
# takes a quarter of an hour.
SEED ?= $(shell date +%s)
FAULTS ?= 500
.PHONY: chaos
chaos: ground
	$(say) 'Building the controller and what is around it'
	cargo build --locked --example resilience --bin registrycheck
	$(say) 'Breaking it'
	REGISTRYCHECK_BINARY=$(abspath $(target))/debug/registrycheck \
	  tests/cluster/up -- $(abspath $(target))/debug/examples/resilience chaos $(SEED) $(FAULTS)

# The chart by the real helm on the real cluster.
.PHONY: chart-test
chart-test: ground image
	$(say) 'Building the test of the chart'
	tests/chart/helm --prepare
	cargo build --locked --example chart
	$(say) 'Testing the chart'
	REGISTRYCHECK_CHART_DEFINITIONS=$$(tests/chart/definitions) \
	  tests/cluster/up -- $(abspath $(target))/debug/examples/chart

# The alerts, by Prometheus' own program.
.PHONY: monitoring-test
monitoring-test:
	$(say) 'The alerts'
	@if command -v go >/dev/null; then tests/monitoring/run; else \
	  echo 'LEFT OUT: the tests of the alerts (there is no Go to build promtool with: https://go.dev/dl)'; \
	fi

.PHONY: cluster
cluster:
	@tests/cluster/up

.PHONY: test
test: lint unit monitoring-test end-to-end

.PHONY: lint
lint:
	$(say) 'Formatting and lints'
	cargo fmt --check
	cargo clippy --locked --all-targets --quiet -- -D warnings
	@test -z "$$(gofmt -l tests/cluster)" || { echo 'run gofmt -w tests/cluster'; exit 1; }
	@if command -v shellcheck >/dev/null; then \
	  shellcheck tests/chart/{helm,definitions} tests/monitoring/{promtool,run} tests/workflows/lint tests/supply/{deny,reproducible} deploy/krew/fill deploy/release/notes tests/cluster/{up,image,lint-dockerfile,teardown_test.sh,pulls_test.sh} deploy/image/assemble .ci/run; \
	else \
	  echo 'LEFT OUT: shellcheck of the scripts (it is not installed: apt-get install shellcheck)'; \
	fi
	@if command -v go >/dev/null; then tests/workflows/lint; else \
	  echo 'LEFT OUT: actionlint of the workflows (there is no Go to build it with: https://go.dev/dl)'; \
	fi
	cargo fetch --locked --quiet
	tests/supply/deny
	@if python3 -m pip --version >/dev/null 2>&1; then \
	  tests/cluster/lint-dockerfile; \
	else \
	  echo 'LEFT OUT: hadolint of the Dockerfile (there is no pip to fetch it: apt-get install python3-pip)'; \
	fi

.PHONY: unit
unit:
	$(say) 'Unit tests'
	cargo test --locked --quiet --lib
	$(say) 'Examples in the documentation'
	cargo test --locked --quiet --doc
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --quiet --no-deps --document-private-items

# Without root or Linux there is no cluster; what is left out is said by name.
.PHONY: end-to-end
end-to-end:
	$(say) 'Integration and end-to-end tests'
	cargo test --locked --quiet --no-run --test integration
	tests/chart/helm --prepare
	@if tests/cluster/up --prepare; then \
	  $(MAKE) --no-print-directory image; \
	  cargo build --locked --quiet --example canaries; \
	  tests/cluster/up --azure -- sh -c 'cargo test --locked --offline --quiet --test integration && \
	    $(abspath $(target))/debug/examples/canaries'; \
	  printf '\n== The test cluster itself\n'; \
	  (cd tests/cluster && go vet ./ground && go test ./ground); \
	  printf '\n== The credentials, compared with the kubelet'"'"'s own packages\n'; \
	  cargo build --locked --quiet; \
	  (cd tests/cluster && go vet ./keyring ./proxy && go test -count=1 ./proxy && \
	    REGISTRYCHECK_BINARY=$(abspath $(target))/debug/registrycheck go test -count=1 ./keyring); \
	  tests/cluster/teardown_test.sh; \
	else \
	  echo 'LEFT OUT: the end-to-end tests and the tests of the cluster, for the reason above.'; \
	  cargo test --locked --quiet --test integration -- --skip end_to_end; \
	fi

# PODS is how many fail in the storm, IMAGES how many of one registry are wanted, TURNS of how many each
# is asked for, INTERVALS how long the long tail lasts (144 are a day). It asserts nothing: the table says what misses its target.
PODS ?= 10000
IMAGES ?= 10000
TURNS ?= 2400
INTERVALS ?= 6
figures := $(abspath $(target))/figures.jsonl
# Each part has a cluster of its own: what one leaves behind is no burden of the next.
measure := REGISTRYCHECK_FIGURES=$(figures) REGISTRYCHECK_BENCH=$(abspath $(target))/bench \
  REGISTRYCHECK_BINARY=$(abspath $(target))/release/registrycheck tests/cluster/up --
.PHONY: bench
bench: ground
	$(say) 'Building registrycheck and what it is compared with'
	cargo build --locked --release --example load --example scrape
	cargo build --locked --release --bin registrycheck
	cd tests/cluster/bench && go build -o $(abspath $(target))/bench .
	rm -f $(figures)
	$(say) 'One probe, beside crane'
	@$(measure) $(abspath $(target))/bench compare $(abspath $(target))/release/registrycheck
	$(say) 'A start and an end'
	@$(measure) $(abspath $(target))/bench start $(abspath $(target))/release/registrycheck crds/registrycheck.yaml
	$(say) 'A scrape'
	@REGISTRYCHECK_FIGURES=$(figures) $(abspath $(target))/release/examples/scrape
	$(say) 'Pods that do not fail'
	@$(measure) $(abspath $(target))/release/examples/load rest
	$(say) 'A storm of $(PODS) pods'
	@$(measure) $(abspath $(target))/release/examples/load storm $(PODS)
	$(say) '$(IMAGES) images of one registry'
	@$(measure) $(abspath $(target))/release/examples/load images $(IMAGES)
	$(say) '$(TURNS) images of one registry, until each was asked for'
	@$(measure) $(abspath $(target))/release/examples/load turns $(TURNS)
	$(say) 'The long tail, for $(INTERVALS) intervals'
	@$(measure) $(abspath $(target))/release/examples/load tail $(INTERVALS)
	@$(abspath $(target))/release/examples/load collect $(figures) docs/benchmarks.json
	@UPDATE=1 cargo test --locked --quiet --test integration -- the_page_of_benchmarks_is_fresh the_page_of_scale_is_fresh

# What is committed, built twice.
.PHONY: reproducible
reproducible: ground
	$(say) 'Building everything twice'
	tests/supply/reproducible

.PHONY: ground
ground:
	$(say) 'Preparing the test cluster'
	@tests/cluster/up --prepare

# Each property meets new inputs for SECONDS, all at once; `make unit` tries the same few.
SECONDS ?= 60
fuzz_report := $(abspath $(target))/fuzz-report
properties := properties:: round_trip:: any_ every_payload nothing_that_a_pod whatever_realm \
  no_error_of_entra no_form_of_a_secret
.PHONY: fuzz
fuzz:
	$(say) 'Trying the properties for $(SECONDS) seconds'
	cargo test --locked --quiet --lib --no-run
	@rm -f $(fuzz_report)
	@FUZZ_SECONDS=$(SECONDS) FUZZ_REPORT=$(fuzz_report) \
	  cargo test --locked --quiet --lib -- --test-threads=64 $(properties) || ended=$$?; \
	printf '\n%12s %7s  %s\n' inputs crashes target; \
	sort -k 3 $(fuzz_report); \
	awk '{ n += $$1; c += $$2 } END { printf "%12d %7d  all\n", n, c }' $(fuzz_report); \
	exit $${ended:-0}

.PHONY: image
image:
	$(say) 'Building the image'
	cargo build --locked --release --bin registrycheck
	tests/cluster/image $(target)/release/registrycheck $(image_tar) $(image)

.PHONY: update
update:
	UPDATE=1 cargo test --locked --quiet --test integration generated
