# Each target makes this checkout's own .venv first; nothing has to be done before.
#   make demo                       2,000 synthetic cases through the whole line
#   make demo ARGS="--cases 200 --exit"
#   make test ARGS="tests/unit -x"
# Windows has no make: py packaging\bootstrap.py demo      (not run on Windows yet)

PYTHON ?= python3
ARGS ?=

.PHONY: help install demo test bench check

help:
	@sed -n 's/^#   //p' Makefile

install demo test bench check:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "错误：没有找到 $(PYTHON)，请安装 Python 3.11 或更新版本（Python 3.11 or later is needed）" >&2; \
	  exit 2; }
	@$(PYTHON) packaging/bootstrap.py $@ $(ARGS)
