#!/usr/bin/env bash
# The crates that are published, checked by the compiler for Windows and for macOS with
# every feature and with none, warnings denied. Nothing is linked and nothing runs.
# Needs their standard libraries (`rustup target add`), and no C compiler for them: ring
# and zstd get one that compiles nothing, as no check reads its objects.
set -euo pipefail
cd "$(dirname "$0")/../.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# As compiler and as archiver: makes the file that follows -o, or the archive.
cat >"$work/nothing" <<'EOF'
#!/usr/bin/env bash
while [ $# -gt 0 ]; do
    case $1 in
    -o) : >"$2" && shift ;;
    *.a) : >"$1" ;;
    esac
    shift
done
EOF
chmod +x "$work/nothing"

export RUSTFLAGS="-D warnings"
for target in x86_64-pc-windows-gnu x86_64-apple-darwin; do
    name=${target//-/_}
    export "CC_$name=$work/nothing" "AR_$name=$work/nothing"
    check() {
        echo "--- $target: $*"
        cargo check --locked --target "$target" --target-dir target/platforms "$@"
    }
    check -p grpc-runtime --all-features
    check -p grpc-runtime --no-default-features
    check -p protoc-gen-rust-grpc -p grpc-build -p grpc-opentelemetry -p grpc-services
    check -p grpc-build --no-default-features
done
