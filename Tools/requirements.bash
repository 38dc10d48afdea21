# Read by Tools/test and Tools/demo: brings a machine that has only the Swift toolchain to where the project builds.
# Nothing is installed that is there already. What is installed is printed.

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# One line per thing that is missing and what is left out because of it.
left_out=()

need_swift() {
    command -v swift >/dev/null || die "swift: not found; install a Swift 6.2 or later toolchain (https://www.swift.org/install/linux/)"
}

# Runs a command as root, or fails where this user cannot.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then sudo "$@"
    else return 1
    fi
}

# install_packages NAME...: with apt-get. False where that is impossible; the reason was printed then.
install_packages() {
    command -v apt-get >/dev/null || { say "cannot install $*: no apt-get here"; return 1; }
    local log=.build/logs/apt.log
    say "installing $* with apt-get (log: $log)"
    for package in "$@"; do
        if ! apt-cache show "$package" >/dev/null 2>&1; then
            say "$package is not in the package lists: apt-get update"
            as_root apt-get update >>"$log" 2>&1 || { say "apt-get update failed"; return 1; }
            break
        fi
    done
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >>"$log" 2>&1 && return
    # The lists may name versions that the archive no longer has.
    say "that failed: apt-get update, then a second try"
    as_root apt-get update >>"$log" 2>&1 &&
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >>"$log" 2>&1 && return
    say "cannot install $*: not root and no sudo, or apt-get failed (see $log)"
    return 1
}

has_zstd() { echo '#include <zstd.h>' | clang -E - >/dev/null 2>&1; }

need_zstd() {
    has_zstd && return
    install_packages libzstd-dev
    has_zstd || die "zstd.h: not found, and nothing can be built without it; install libzstd-dev (Fedora: libzstd-devel)"
}

python_has() { "$1" -c "import $2" >/dev/null 2>&1; }
python_complete() { python_has "$1" numpy && python_has "$1" zstandard; }

# Sets QUERN_PYTHON to a Python with numpy and zstandard. The tests that need it skip where there is none.
want_python() {
    local python=${QUERN_PYTHON:-python3} own=.build/python/bin/python3 log=.build/logs/python.log
    python_complete "$python" || { python_complete "$own" && python=$PWD/$own; }
    if ! command -v "$python" >/dev/null; then install_packages python3 python3-numpy python3-zstandard; fi
    # Debian's packages serve Debian's interpreter only.
    if ! python_complete "$python" && [ "$(command -v "$python")" = /usr/bin/python3 ]; then
        install_packages python3-numpy python3-zstandard
    fi
    # Any other gets an environment of its own, so that nothing outside this folder changes.
    if command -v "$python" >/dev/null && ! python_complete "$python"; then
        say "installing numpy and zstandard for $python in .build/python (log: $log)"
        if "$python" -m venv .build/python >>"$log" 2>&1 && "$own" -m pip install --quiet numpy zstandard >>"$log" 2>&1; then
            python=$PWD/$own
        elif "$python" -m pip install --quiet --user numpy zstandard >>"$log" 2>&1; then
            say "no environment could be made; pip installed them for this user"
        fi
    fi
    if ! command -v "$python" >/dev/null; then
        left_out+=("python3 is missing and could not be installed: no layer check, no comparison with Tools/reference_reader.py")
        return
    fi
    for module in numpy zstandard; do
        python_has "$python" $module || left_out+=("Python's $module is missing and could not be installed (see $log): tests with Tools/reference_reader.py skip")
    done
    QUERN_PYTHON=$(command -v "$python")
    export QUERN_PYTHON
    # Also what plain "python3" means from here on.
    PATH=$(dirname "$QUERN_PYTHON"):$PATH
}

# Sets qemu_aarch64 to the emulator and returns true where C programs can be built for aarch64 and run.
want_aarch64() {
    runs_aarch64 && return
    install_packages gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
    runs_aarch64 && return
    left_out+=("no cross build for aarch64 (Debian: gcc-aarch64-linux-gnu, libc6-dev-arm64-cross, qemu-user): the NEON kernels are not tested")
    return 1
}
runs_aarch64() {
    local probe=.build/aarch64-probe
    qemu_aarch64=$(command -v qemu-aarch64 || command -v qemu-aarch64-static) || return 1
    qemu_aarch64=${qemu_aarch64##*/}
    echo 'int main(void) { return 0; }' | clang --target=aarch64-linux-gnu -static -fuse-ld=lld -x c -o "$probe" - >/dev/null 2>&1 && "$qemu_aarch64" "$probe"
}

# quietly LOG WHAT COMMAND...: shows the log's errors, or its end, when the command fails.
quietly() {
    local log=$1 what=$2 start=$SECONDS
    shift 2
    say "$what: $* (log: $log)"
    if ! "$@" >"$log" 2>&1; then
        grep -E '(error|fatal error):' "$log" | sort -u | head -40
        say "--- end of $log"
        tail -n 25 "$log"
        die "$what failed"
    fi
    say "$what: done in $((SECONDS - start)) s"
}
