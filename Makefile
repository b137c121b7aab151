# The front door. Every target first installs what it lacks (packages.txt) and says so, so that `make demo` works on a
# fresh Debian 12 as root or with sudo. CMake does the building: CMakeLists.txt, CMakePresets.json.
.POSIX:
.PHONY: help build install docs demo test test-all asan clang check-layers bench-peers clean

PREFIX = /usr/local

help:
	@sed -n 's/^#: //p' Makefile

#: make build         the program build/mpno, the library and the tests
build:
	@sh scripts/install_packages.sh build test
	@cmake --preset release >/dev/null
	@cmake --build --preset release

#: make install       program, library, manual and completions below PREFIX (/usr/local); DESTDIR is honoured
install: build
	@cmake --install build --prefix "$(PREFIX)" --strip

#: make docs          renew what is made from tables: the reference of keys, the list of exported functions
docs:
	@python3 -B scripts/make_config_reference.py
	@python3 -B scripts/make_symbols.py

#: make demo          train the Darcy network in three precisions: a table, pictures, checkpoints in demo/
demo: build
	@sh scripts/demo.sh

#: make test          every test of the normal build (minutes)
test: build
	@python3 scripts/run_tests.py

#: make asan          the same tests under AddressSanitizer and UndefinedBehaviorSanitizer
asan:
	@sh scripts/install_packages.sh build test
	@cmake --preset asan >/dev/null
	@cmake --build --preset asan
	@python3 scripts/run_tests.py --build build-asan

#: make clang         build with clang, warnings are errors
clang:
	@sh scripts/install_packages.sh build test clang peers
	@cmake --preset clang >/dev/null
	@cmake --build --preset clang

#: make test-all      clang, asan and test; 1e7 trials of bounds of operations, 1e5 networks and 4200 searches (an hour)
test-all: clang asan test
	@MPNO_TEST_TRIALS=100 python3 scripts/run_tests.py --only lemmas
	@MPNO_TEST_TRIALS=100 python3 scripts/run_tests.py --only certify_test_point

#: make check-layers  who includes whom, against src/LAYERS
check-layers:
	@sh scripts/install_packages.sh test
	@python3 scripts/check_layers.py

#: make bench-peers   compare with PyTorch + neuraloperator, an hour; BENCH="--cases fno1d --rounds 1" does less
BENCH =
bench-peers: build
	@python3 -B bench/peers/compare.py $(BENCH)

#: make clean         remove everything that make has made
clean:
	rm -rf build build-asan build-clang demo
