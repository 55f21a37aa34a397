# make demo   set up, then drive the three built-in rigs from the bundled video of an actor
# make test   set up, then run the whole test suite
# make check  lint and types
# make bench  frames per second of the whole path, stage by stage
# make rigs   model the built-in rigs again from their generators
# make links  .src/freeavatar, through which type checkers see the package

PYTHON ?= python3
BIN := .venv/bin
OUT ?= out

# What pyrender (EGL, software GL) and MediaPipe load at run time.
RUNTIME_PACKAGES := libegl1 libgles2 libgl1 libgl1-mesa-dri libglib2.0-0
# Programs we did not write that receive our streams and open our takes in the tests.
RECEIVER_PACKAGES := oscdump:liblo-tools chromium:chromium node:nodejs npm:npm \
    godot3-server:godot3-server

.PHONY: demo test check bench rigs links clean

demo: .venv/.runtime
	@mkdir -p $(OUT)
	$(BIN)/freeavatar drive tools/data/actor.mp4 \
	    --rig mannequin --rig toon --rig fox \
	    --take '$(OUT)/demo_{rig}.glb' --to osc://127.0.0.1:9000 \
	    --preview $(OUT)/demo.mp4
	@echo
	@echo "Look at $(OUT)/demo.mp4, open $(OUT)/demo_mannequin.glb in Blender or a browser, then try"
	@echo "    $(BIN)/freeavatar drive YOUR_CLIP.mp4 --rig mannequin --preview $(OUT)/yours.mp4"

test: .venv/.dev
	@$(MAKE) --no-print-directory tests/receivers/node_modules/.installed || \
	    echo "Tests of what is missing will be skipped." >&2
	$(BIN)/python -m pytest $(PYTEST_FLAGS)

check: .venv/.dev links
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p freeavatar.foundation -p freeavatar.rigs -p freeavatar.renderer_net \
	    -p freeavatar.animator -p freeavatar.bridge -p freeavatar.tools

bench: .venv/.runtime
	$(BIN)/freeavatar bench $(BENCH_FLAGS)

rigs: .venv/.runtime
	$(BIN)/python -m freeavatar.rigs.builtin.generate
	$(BIN)/python -m freeavatar.tools.builtin_anchors

links:
	@mkdir -p .src/freeavatar
	@for folder in foundation rigs renderer_net animator bridge tools; do \
	    ln -sfn ../../$$folder .src/freeavatar/$$folder; done

.venv/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "FreeAvatar needs Python 3.11 or newer: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || tools/system-packages.sh python3-venv
	$(PYTHON) -m venv .venv
	@touch $@

.venv/.runtime: .venv/.python setup.cfg pyproject.toml constraints.txt
	@tools/system-packages.sh $(RUNTIME_PACKAGES)
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e .
	@touch $@

.venv/.dev: .venv/.runtime
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

tests/receivers/node_modules/.installed: tests/receivers/package.json
	@tools/system-packages.sh $(RECEIVER_PACKAGES)
	npm install --prefix tests/receivers --no-audit --no-fund --loglevel=error --package-lock=false
	@touch $@

clean:
	rm -rf .venv .src build dist out *.egg-info tests/receivers/node_modules
