# What is typed all day. `make test ARGS="packages/gads-gaql -n 0"` passes arguments on to pytest.
.PHONY: sync fix check test ci

sync:  ## the environment, with every package of the workspace
	uv sync --quiet --compile-bytecode

fix:  ## what ruff can put right
	uv run --no-sync ruff check --fix
	uv run --no-sync ruff format

check:  ## lint, types, walls between packages
	uv run --no-sync ruff check
	uv run --no-sync ruff format --check
	.ci/types
	uv run --no-sync lint-imports --no-logo

ARGS ?= -n 3 --dist worksteal
test:  ## the tests
	uv run --no-sync pytest $(ARGS)

ci:  ## everything that must hold
	.ci/run
